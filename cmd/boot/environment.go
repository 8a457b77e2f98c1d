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
	// prefix is the first part of the name of every setting.
	prefix = "LOCKBOX_"
	// fileSuffix is the last part of the name of a variable that contains a path. Lockbox reads the setting from the
	// file at this path.
	fileSuffix = "_FILE"
)

// ReadEnvironment parses the settings in environ, whose elements have the form NAME=value. err contains all mistakes
// that ReadEnvironment finds. Config.Validate finds the other mistakes. unknown contains, in alphabetical order, the
// names of the variables that begin with LOCKBOX_ and have no known meaning.
func ReadEnvironment(environ []string) (config Config, unknown []string, err error) {
	variables, files, unknown, mistakes := gather(environ)
	options := env.Options{Prefix: prefix, Environment: variables, FuncMap: parsers}
	if err := env.ParseWithOptions(&config, options); err != nil {
		mistakes = append(mistakes, parseMistakes(err)...)
	}
	// A setting that cannot be parsed keeps its zero value. In this case, the function derive may report a second
	// mistake for this setting. AllMistakes removes the second mistake.
	mistakes = append(mistakes, config.derive(certificateFiles{
		chain: files[prefix+"TLS_CERT"],
		key:   files[prefix+"TLS_KEY"],
	}))
	return config, unknown, errors.Join(mistakes...)
}

// gather finds the settings in environ. variables maps the name of each setting to its value. If a setting is in a
// file, files maps the name of the setting to the path of this file. The map variables also contains settings with an
// empty value. The env package treats an empty value as not set.
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
	// A setting must not be set both directly and through its _FILE variable, because Lockbox cannot know which value
	// the operator wants.
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

// isForeign reports whether a variable that begins with LOCKBOX_ belongs to the client, to the tests, or to Kubernetes.
// If a namespace has a service named lockbox, Kubernetes sets LOCKBOX_SERVICE_… and LOCKBOX_PORT… in the pods of the
// namespace.
func isForeign(name string) bool {
	for _, foreign := range []string{"API_", "ENCRYPTION_KEY", "BOX_NAME", "ENTRY_KEY", "TEST_", "SERVICE_", "PORT"} {
		if strings.HasPrefix(name, prefix+foreign) {
			return true
		}
	}
	return false
}

// parseMistakes converts the errors of the env package. An error of that package names the field of Config instead of
// the variable, and may repeat the value. The new error names the variable and never repeats the value.
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
