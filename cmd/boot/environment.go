package boot

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	prefix     = "LOCKBOX_"
	fileSuffix = "_FILE"
)

// Setting is one line of the table of settings.
type Setting struct {
	Name    string // of the environment variable
	Default string
	Doc     string
}

// Settings lists all settings in the order in which people are shown them.
func Settings() []Setting {
	var list []Setting
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Config]()) {
		list = append(list, Setting{Name: prefix + field.Tag.Get("env"), Default: field.Tag.Get("envDefault"),
			Doc: field.Tag.Get("doc")})
	}
	return list
}

// ReadEnvironment reads the settings from variables of the form NAME=value. It returns every mistake at once that
// shows in a variable by itself; Config.Validate finds the others. Unknown lists variables that look like settings and
// are none.
func ReadEnvironment(environ []string) (config Config, unknown []string, err error) {
	variables, unknown, mistakes := gather(environ)
	options := env.Options{Prefix: prefix, Environment: variables, FuncMap: map[reflect.Type]env.ParserFunc{
		reflect.TypeFor[domain.Secret](): func(text string) (any, error) { return domain.NewSecret(text), nil },
	}}
	if err := env.ParseWithOptions(&config, options); err != nil {
		mistakes = append(mistakes, parseMistakes(err)...)
	}
	return config, unknown, errors.Join(mistakes...)
}

// gather keeps the settings among the variables and reads those that are given as files.
func gather(environ []string) (variables map[string]string, unknown []string, mistakes []error) {
	variables, files := make(map[string]string), make(map[string]string)
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
		case strings.HasPrefix(name, prefix) && !elsewhere(name):
			unknown = append(unknown, name)
		}
	}
	for name, path := range files {
		if _, both := variables[name]; both {
			mistakes = append(mistakes,
				&settingMistake{name, fmt.Sprintf("%s and %s%s are both set: keep one", name, name, fileSuffix)})
			continue
		}
		content, err := os.ReadFile(path) //nolint:gosec // the operator names the file
		if err != nil {
			mistakes = append(mistakes,
				&settingMistake{name, fmt.Sprintf("%s%s cannot be read: %v", name, fileSuffix, err)})
			continue
		}
		variables[name] = strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
	}
	slices.Sort(unknown)
	return variables, unknown, mistakes
}

// elsewhere reports whether a variable belongs to somebody else: to the client and the tests, or to Kubernetes, which
// describes a service named lockbox to every pod beside it.
func elsewhere(name string) bool {
	for _, theirs := range []string{"API_", "ENCRYPTION_KEY", "BOX_NAME", "ENTRY_KEY", "TEST_", "SERVICE_", "PORT"} {
		if strings.HasPrefix(name, prefix+theirs) {
			return true
		}
	}
	return false
}

// parseMistakes names the variable instead of the field, and leaves out what was in it.
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
			name = prefix + field.Tag.Get("env")
		}
		mistakes = append(mistakes, &settingMistake{name, name + " cannot be read as " + kindOfSetting(wrong.Type)})
	}
	return mistakes
}

func kindOfSetting(wanted reflect.Type) string {
	switch wanted.String() {
	case "time.Duration":
		return "a duration, such as 90s, 15m or 168h"
	case "float64":
		return "a number, such as 0.5"
	case "bool":
		return "true or false"
	case "slog.Level":
		return "a level: debug, info, warn or error"
	case "[]netip.Prefix", "netip.Prefix":
		return "networks with commas between them, such as 10.0.0.0/8,192.168.1.1/32"
	default:
		return "a whole number in range"
	}
}
