package boot

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

const (
	// prefix begins the name of every setting.
	prefix = "LOCKBOX_"
	// fileSuffix ends the name of a variable whose value is the path of a file that contains the setting.
	fileSuffix = "_FILE"
)

// ReadEnvironment parses the settings out of variables of the form NAME=value. The error contains all mistakes that
// prevent parsing. Config.Validate finds the other mistakes. The result unknown lists, in alphabetical order, the
// variables that look like settings but are not.
func ReadEnvironment(environ []string) (config Config, unknown []string, err error) {
	variables, files, unknown, mistakes := gather(environ)
	options := env.Options{Prefix: prefix, Environment: variables, FuncMap: parsers}
	if err := env.ParseWithOptions(&config, options); err != nil {
		mistakes = append(mistakes, parseMistakes(err)...)
	}
	// A setting that cannot be parsed stays zero, which can cause a second mistake. AllMistakes drops the second
	// mistake.
	mistakes = append(mistakes, config.derive(certificateFiles{
		chain: files[prefix+"TLS_CERT"],
		key:   files[prefix+"TLS_KEY"],
	}))
	return config, unknown, errors.Join(mistakes...)
}

// gather finds the settings in environ. The map variables contains the values of the settings, and the map files
// contains the paths of those settings that are given as files. The keys of both maps are the names of settings. A
// variable that is set to an empty text counts as not set.
func gather(environ []string) (variables, files map[string]string, unknown []string, mistakes []error) {
	variables, files = make(map[string]string), make(map[string]string)
	known := make(map[string]bool)
	for _, setting := range Settings() {
		known[setting.Name] = true
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		base, isFile := strings.CutSuffix(name, fileSuffix)
		switch {
		case known[name]:
			variables[name] = value
		case isFile && known[base]:
			files[base] = value
		case strings.HasPrefix(name, prefix) && !isForeign(name):
			unknown = append(unknown, name)
		}
	}
	// A setting that is given twice is an error: Lockbox cannot know which one the operator means.
	for name, path := range files {
		if _, both := variables[name]; both {
			mistakes = append(mistakes,
				&settingMistake{name, fmt.Sprintf("%s and %s%s are both set: remove one", name, name, fileSuffix)})
			continue
		}
		content, err := readSetting(path)
		if err != nil {
			mistakes = append(mistakes,
				&settingMistake{name, fmt.Sprintf("%s%s cannot be read: %v", name, fileSuffix, err)})
			continue
		}
		variables[name] = string(content)
	}
	slices.Sort(unknown)
	return variables, files, unknown, mistakes
}

// isForeign reports whether a variable with the prefix belongs to the client, to the tests, or to Kubernetes. If a
// namespace has a service named lockbox, Kubernetes sets LOCKBOX_SERVICE_… and LOCKBOX_PORT… in the pods of the
// namespace.
func isForeign(name string) bool {
	for _, foreign := range []string{"API_", "ENCRYPTION_KEY", "BOX_NAME", "ENTRY_KEY", "TEST_", "SERVICE_", "PORT"} {
		if strings.HasPrefix(name, prefix+foreign) {
			return true
		}
	}
	return false
}

// parseMistakes replaces the errors of the env package, because they name a field instead of a variable and may repeat
// the value. The new errors name the variable and never repeat the value.
func parseMistakes(err error) []error {
	all, ok := errors.AsType[env.AggregateError](err)
	if !ok {
		return []error{err}
	}
	fields := reflect.TypeFor[Config]()
	var mistakes []error
	for _, each := range all.Errors {
		wrong, ok := errors.AsType[env.ParseError](each)
		if !ok {
			mistakes = append(mistakes, each)
			continue
		}
		name := wrong.Name
		if field, found := fields.FieldByName(wrong.Name); found {
			name = field.Tag.Get("env")
		}
		mistakes = append(mistakes, mistake(name, ruleBroken(wrong)))
	}
	return mistakes
}
