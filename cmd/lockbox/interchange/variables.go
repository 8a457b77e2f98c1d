package interchange

import (
	"fmt"
	"slices"
	"strings"
)

// Variable is an environment variable.
type Variable struct{ Name, Value string }

// Naming has the options for the names of variables.
type Naming struct {
	// Key is the key of the entry. If the value is not an object, its variable is named after the last segment of Key.
	Key string
	// Each variable name begins with Prefix. The case of Prefix itself does not change.
	Prefix string
	// If KeepCase is true, a variable name has the letter case of the field names. Otherwise it is in upper case,
	// unless programs need its original case; see hasMeaningfulCase.
	KeepCase bool
}

// Variables returns the variables of a value, in the order of its names. The name of a variable consists of the names
// of the fields on the path to its value. Variables joins these names with '_' and converts the result to upper case;
// hasMeaningfulCase describes exceptions. A character that a variable name cannot contain becomes '_'. If the name
// would begin with a digit, it gets a '_' before the digit. The value of a variable is a string without quotes, a
// number with its original digits, or an array as compact JSON. For null, there is no variable.
//
// Variables returns an error in three cases: two fields would have the same variable name, a variable name would be
// empty, or a name or a string contains half of a surrogate pair.
func (v Value) Variables(naming Naming) ([]Variable, error) {
	if err := naming.check(); err != nil {
		return nil, err
	}
	collected := variableCollector{naming: naming, origin: map[string]string{}}
	// A value that is not an object has no field names, so the name of its variable comes from the key of the entry.
	var path []string
	if !v.isObject {
		path, collected.fromKey = []string{lastSegment(naming.Key)}, true
	}
	if err := collected.add(path, v); err != nil {
		return nil, err
	}
	return collected.variables, nil
}

// check returns an error if the prefix begins with a digit or contains a character that a variable name cannot contain.
func (n Naming) check() error {
	for i, c := range n.Prefix {
		if !isNameRune(c, i > 0) {
			return fmt.Errorf("invalid prefix %q: use letters, digits and '_', not beginning with a digit", n.Prefix)
		}
	}
	return nil
}

// maxVariableBytes limits the total size of the variables of a value. The name of a variable contains the names of all
// enclosing objects. Without the limit, half a megabyte of JSON could produce gigabytes of variables: an object with a
// long name and many short fields is enough.
const maxVariableBytes = 16 << 20

// variableCollector collects the variables of a value.
type variableCollector struct {
	naming    Naming
	variables []Variable
	origin    map[string]string // the path from which each name was derived
	bytes     int
	fromKey   bool // the name comes from the key of the entry
}

// add collects the variables of the value at a path, recursively for objects.
func (c *variableCollector) add(path []string, value Value) error {
	if value.isObject {
		for _, each := range value.members {
			if err := each.checkName(path); err != nil {
				return err
			}
			if err := c.add(append(path[:len(path):len(path)], each.name), each.value); err != nil {
				return err
			}
		}
		return nil
	}
	// Set no variable for null. An empty variable would mean an empty string, which is not the same as null.
	if string(value.text) == "null" {
		return nil
	}
	naming := c.naming
	if !c.fromKey && hasMeaningfulCase(path[0]) {
		naming.KeepCase = true
	}
	name, origin := naming.name(path), quotePath(path)
	if name == "" {
		return fmt.Errorf("%s results in an empty variable name: rename the field", origin)
	}
	if other, taken := c.origin[name]; taken {
		return fmt.Errorf("%s and %s both become the variable %s: rename one of them", other, origin, name)
	}
	if err := value.CheckText(); err != nil {
		return fmt.Errorf("%s: %w", origin, err)
	}
	plain := value.Plain()
	if c.bytes += len(name) + len(plain); c.bytes > maxVariableBytes {
		return fmt.Errorf("the variables are larger than %d MiB in total", maxVariableBytes>>20)
	}
	c.origin[name] = origin
	c.variables = append(c.variables, Variable{name, plain})
	return nil
}

// Variable returns the variable name for a field with the given name. The field must not be inside a nested object.
func (n Naming) Variable(field string) string {
	n.KeepCase = n.KeepCase || hasMeaningfulCase(field)
	return n.name([]string{field})
}

// lowerCaseNames are variables that programs look up in lower case. Some programs ignore the name in upper case. For
// example, curl ignores HTTP_PROXY.
var lowerCaseNames = []string{"http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"}

// caseSensitivePrefixes are the prefixes of variables that Terraform, Packer, npm and Gradle read. In these programs,
// the text after the prefix is case-sensitive, because it is the name of one of their own variables, hosts or options.
var caseSensitivePrefixes = []string{"TF_VAR_", "TF_TOKEN_", "TF_CLI_ARGS_", "PKR_VAR_", "npm_config_",
	"ORG_GRADLE_PROJECT_"}

// hasMeaningfulCase reports whether the variable of a field must keep the letter case of the field, because programs
// look the variable up by this exact name. Do not call it for the key of an entry: keys are always in lower case, so
// their case has no meaning.
func hasMeaningfulCase(field string) bool {
	return slices.Contains(lowerCaseNames, field) ||
		slices.ContainsFunc(caseSensitivePrefixes, func(prefix string) bool { return strings.HasPrefix(field, prefix) })
}

// name returns the variable name for a path. It returns "" if the path contains only empty names.
func (n Naming) name(path []string) string {
	name := strings.Join(path, "_")
	if name == "" {
		return ""
	}
	if !n.KeepCase {
		name = strings.ToUpper(name)
	}
	name = n.Prefix + strings.Map(func(r rune) rune {
		if isNameRune(r, true) {
			return r
		}
		return '_'
	}, name)
	if !isNameRune(rune(name[0]), false) {
		return "_" + name
	}
	return name
}

// isNameRune reports whether the character c is permitted in a variable name (POSIX.1-2017, 3.235 Name). If digits is
// true, '0' to '9' are permitted too. digits must be false for the first character of a name.
func isNameRune(c rune, digits bool) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || digits && '0' <= c && c <= '9'
}

// lastSegment returns the part of a key after the last separator.
func lastSegment(key string) string {
	return key[strings.LastIndexAny(key, "/:")+1:]
}

// checkCarried returns an error if a value contains a NUL character, because neither environment variables nor shell
// text can contain it.
func checkCarried(variables []Variable) error {
	for _, each := range variables {
		if strings.Contains(each.Value, "\x00") {
			return fmt.Errorf("%s contains a NUL character, which a variable cannot hold", each.Name)
		}
	}
	return nil
}

// Environment returns the variables as strings of the form NAME=value, as the field Env of exec.Cmd requires. It
// returns an error if a value contains a NUL character.
func (v Value) Environment(naming Naming) ([]string, error) {
	variables, err := v.Variables(naming)
	if err == nil {
		err = checkCarried(variables)
	}
	if err != nil {
		return nil, err
	}
	// Names contain no '=', so the pairs are unambiguous.
	pairs := make([]string, len(variables))
	for i, each := range variables {
		pairs[i] = each.Name + "=" + each.Value
	}
	return pairs, nil
}
