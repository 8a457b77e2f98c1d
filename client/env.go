package client

import (
	"errors"
	"os"
	"strconv"
	"strings"
)

// FromEnv returns a Client that is configured by environment variables. See [ConfigFromEnv].
func FromEnv() (*Client, error) {
	config, problems := readEnvironment()
	if len(problems) > 0 {
		if config.URL != "" { // report the problems that New finds as well
			_, err := New(config)
			problems = append(problems, err)
		}
		return nil, errors.Join(problems...)
	}
	return New(config)
}

// ConfigFromEnv reads a Config from environment variables, for programs that set further fields before [New]:
//
//	LOCKBOX_API_URL          URL; required
//	LOCKBOX_API_KEY          Token; required
//	LOCKBOX_ENCRYPTION_KEY   EncryptionKey
//	LOCKBOX_BOX_NAME         Box
//	LOCKBOX_ENTRY_KEY        Entry
//	LOCKBOX_API_ALLOW_HTTP   AllowHTTP: true or false
//
// The value of each variable can be in a file instead, such as a mounted Kubernetes secret. Name this file in a
// variable that ends in _FILE: LOCKBOX_API_KEY_FILE=/run/secrets/key. One trailing line end in the file is ignored. The
// returned error joins one ErrInvalid for each problem. Each ErrInvalid names the variable and does not contain its
// value.
func ConfigFromEnv() (Config, error) {
	config, problems := readEnvironment()
	if len(problems) > 0 {
		return Config{}, errors.Join(problems...)
	}
	return config, nil
}

// readEnvironment returns the settings that it could read, together with all problems.
func readEnvironment() (Config, []error) {
	env := environment{}
	config := Config{
		URL:   env.required("LOCKBOX_API_URL"),
		Token: NewSecret(env.required("LOCKBOX_API_KEY")),
		Box:   env.get("LOCKBOX_BOX_NAME"),
		Entry: env.get("LOCKBOX_ENTRY_KEY"),
	}
	if text := env.get("LOCKBOX_ENCRYPTION_KEY"); text != "" {
		key, err := ParseEncryptionKey(text)
		if failure, ok := errors.AsType[*Error](err); ok {
			env.problem("LOCKBOX_ENCRYPTION_KEY", failure.Message)
		}
		config.EncryptionKey = key
	}
	if text := env.get("LOCKBOX_API_ALLOW_HTTP"); text != "" {
		allowed, err := strconv.ParseBool(text)
		if err != nil {
			env.problem("LOCKBOX_API_ALLOW_HTTP", "must be true or false")
		}
		config.AllowHTTP = allowed
	}
	return config, env.problems
}

// environment reads variables and collects problems.
type environment struct{ problems []error }

func (e *environment) problem(name, message string) {
	e.problems = append(e.problems, invalid("invalid_setting", name, name+": "+message))
}

// required returns the result of get, and reports a problem if the variable is not set. If get has reported a problem,
// required reports none.
func (e *environment) required(name string) string {
	before := len(e.problems)
	text := e.get(name)
	if text == "" && len(e.problems) == before {
		e.problem(name, "is not set: set this variable or "+name+"_FILE")
	}
	return text
}

// get returns the value of the variable with the given name. If the variable NAME_FILE is set instead, get returns the
// content of that file.
func (e *environment) get(name string) string {
	text, path := os.Getenv(name), os.Getenv(name+"_FILE")
	if path == "" {
		return text
	}
	if text != "" {
		e.problem(name, "is set, but "+name+"_FILE is set, too: set only one of the two")
		return ""
	}
	content, err := os.ReadFile(path) //nolint:gosec // the path is a setting of this program
	if err != nil {
		e.problem(name+"_FILE", err.Error())
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
}
