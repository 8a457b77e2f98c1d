package interchange

import (
	"fmt"
	"strings"
)

// Variable is a name with its value, as the environment of a program holds it.
type Variable struct{ Name, Value string }

// Naming says how the names of a value become those of variables.
type Naming struct {
	// Key is the entry's. Its last segment names a value that is not an object.
	Key string
	// Prefix comes before each name, as it is written.
	Prefix string
	// KeepCase leaves the case of letters; they are put in upper case otherwise.
	KeepCase bool
}

// Variables returns the value as variables, in its order. Names of objects in each other are joined with '_', letters put
// in upper case, and what no name can hold becomes '_'; a name that would begin with a digit has a '_' before it. Strings
// are as they are, numbers as they were sent, an array is compact JSON, and null sets nothing.
//
// Two names that come to the same, and a name that comes to nothing, are refused.
func (v Value) Variables(naming Naming) ([]Variable, error) {
	if err := naming.check(); err != nil {
		return nil, err
	}
	collected := flat{naming: naming, from: map[string]string{}}
	var path []string
	if !v.isObject {
		path = []string{lastSegment(naming.Key)}
	}
	if err := collected.add(path, v); err != nil {
		return nil, err
	}
	return collected.variables, nil
}

func (n Naming) check() error {
	for i, c := range n.Prefix {
		if !inName(c, i > 0) {
			return fmt.Errorf("the prefix %q cannot begin a name: use letters, digits and '_', and no digit first",
				n.Prefix)
		}
	}
	return nil
}

// maxVariableBytes bounds all variables of a value. Each has the names of the objects around it in its own: a value of half
// a megabyte, with one long name around many short ones, would come to gigabytes.
const maxVariableBytes = 16 << 20

// flat is what a value comes to so far, and from which path each name.
type flat struct {
	naming    Naming
	variables []Variable
	from      map[string]string
	bytes     int
}

func (f *flat) add(path []string, value Value) error {
	if value.isObject {
		for _, each := range value.members {
			if err := f.add(append(path[:len(path):len(path)], each.name), each.value); err != nil {
				return err
			}
		}
		return nil
	}
	if string(value.text) == "null" {
		return nil
	}
	name, origin := f.naming.name(path), quotePath(path)
	if name == "" {
		return fmt.Errorf("%s comes to no name; rename it, or use a prefix", origin)
	}
	if other, taken := f.from[name]; taken {
		return fmt.Errorf("%s and %s both come to %s; rename one of them", other, origin, name)
	}
	if err := value.Whole(); err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	plain := value.Plain()
	if f.bytes += len(name) + len(plain); f.bytes > maxVariableBytes {
		return fmt.Errorf("its variables come to more than %d MiB", maxVariableBytes>>20)
	}
	f.from[name] = origin
	f.variables = append(f.variables, Variable{name, plain})
	return nil
}

func (n Naming) name(path []string) string {
	name := strings.Join(path, "_")
	if name == "" {
		return ""
	}
	if !n.KeepCase {
		name = strings.ToUpper(name)
	}
	name = n.Prefix + strings.Map(func(r rune) rune {
		if inName(r, true) {
			return r
		}
		return '_'
	}, name)
	if !inName(rune(name[0]), false) {
		return "_" + name
	}
	return name
}

// inName reports whether a character may be in the name of a variable, and with digits whether it may be a digit. It is
// what shells take (POSIX.1-2017, 3.235 Name).
func inName(c rune, digits bool) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digits && '0' <= c && c <= '9'
}

func lastSegment(key string) string {
	return key[strings.LastIndexAny(key, "/:")+1:]
}

// checkCarried refuses a value that neither an environment nor a text file can hold.
func checkCarried(variables []Variable) error {
	for _, each := range variables {
		if strings.Contains(each.Value, "\x00") {
			return fmt.Errorf("%s holds a NUL character, which no variable can", each.Name)
		}
	}
	return nil
}

// Environment returns the value as NAME=value strings, as a program is started with. A value with a NUL character is refused.
func (v Value) Environment(naming Naming) ([]string, error) {
	variables, err := v.Variables(naming)
	if err == nil {
		err = checkCarried(variables)
	}
	if err != nil {
		return nil, err
	}
	pairs := make([]string, len(variables))
	for i, each := range variables {
		pairs[i] = each.Name + "=" + each.Value
	}
	return pairs, nil
}
