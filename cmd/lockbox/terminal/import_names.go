package terminal

import (
	"fmt"
	"strings"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
)

// maxNamed is the maximum number of names that a warning lists. A longer list would hide the warning.
const maxNamed = 5

// warnOfNames warns about names in a file that lockbox run and lockbox export refuse or change. The user therefore
// learns of a missing variable at the import, and not when a program runs without it. If isDotenv is true, the file is
// a .env file, and its names are already names of variables. Names in JSON and YAML files are usually not names of
// variables, so a changed name causes no warning.
func (s *session) warnOfNames(value interchange.Value, key string, isDotenv, each bool) {
	if isDotenv {
		s.warnOfRenamed(value, each)
	}
	var refused []string
	if each {
		for _, name := range value.Names() {
			// lockbox run and export name the variable after the key of the entry, in upper case.
			if variable := strings.ToUpper(name); dangerOf(variable) != "" {
				refused = append(refused, variable)
			}
		}
	} else {
		refused = s.warnOfRefused(value, key)
	}
	if len(refused) > 0 {
		s.warn("lockbox run and export refuse variables that can make programs run other code "+
			"or send secrets to another server: %s; to permit a variable, run these commands with --allow NAME",
			enumerate(refused))
	}
}

// warnOfRefused warns if lockbox run and export would refuse the whole value, for example because two names become the
// same variable. It returns the unsafe variables of the value.
func (s *session) warnOfRefused(value interchange.Value, key string) []string {
	variables, err := value.Variables(interchange.Naming{Key: key})
	if err != nil {
		remedy := ""
		kept, otherwise := value.Variables(interchange.Naming{Key: key, KeepCase: true})
		if variables = kept; otherwise == nil {
			remedy = ", or run these commands with --keep-case"
		}
		s.warn("lockbox run and export refuse these names: %v%s", err, remedy)
	}
	var refused []string
	for _, each := range variables {
		if dangerOf(each.Name) != "" {
			refused = append(refused, each.Name)
		}
	}
	return refused
}

// warnOfRenamed warns about names of a .env file that become variables with other names, and suggests the option that
// keeps the names.
func (s *session) warnOfRenamed(value interchange.Value, each bool) {
	var renamed []string
	kept := true // --keep-case would keep all names
	for _, name := range value.Names() {
		variable := interchange.Naming{}.Variable(name)
		if each {
			variable = strings.ToUpper(interchange.Naming{KeepCase: true}.Variable(name))
		}
		if variable != name {
			renamed = append(renamed, fmt.Sprintf("%s becomes %s", name, variable))
			kept = kept && interchange.Naming{KeepCase: true}.Variable(name) == name
		}
	}
	switch {
	case len(renamed) == 0:
	case each:
		s.warn("lockbox run and export change names, because --each stores keys in lower case: %s; "+
			"to keep the case, import without --each", enumerate(renamed))
	case kept:
		s.warn("lockbox run and export change names: %s; run these commands with --keep-case to keep the case",
			enumerate(renamed))
	default:
		s.warn("lockbox run and export change names: %s; --keep-case keeps the case, "+
			"but each character that a variable name cannot contain still becomes _", enumerate(renamed))
	}
}

// enumerate joins the first maxNamed names. If the list is longer, it adds the number of remaining names.
func enumerate(names []string) string {
	if more := len(names) - maxNamed; more > 0 {
		return strings.Join(names[:maxNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(names, ", ")
}
