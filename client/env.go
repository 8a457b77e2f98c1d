package client

import (
	"errors"
	"os"
	"strconv"
	"strings"
)

// FromEnv makes a Client with the settings of the environment; see [ConfigFromEnv].
func FromEnv() (*Client, error) {
	config, mistakes := readEnvironment()
	if len(mistakes) > 0 {
		if config.URL != "" { // what New finds is told in the same go
			_, err := New(config)
			mistakes = append(mistakes, err)
		}
		return nil, errors.Join(mistakes...)
	}
	return New(config)
}

// ConfigFromEnv reads the settings of a Client from the environment, for who wants to add to them:
//
//	LOCKBOX_API_URL          URL; required
//	LOCKBOX_API_KEY          Token; required
//	LOCKBOX_ENCRYPTION_KEY   EncryptionKey
//	LOCKBOX_BOX_NAME         Box
//	LOCKBOX_ENTRY_KEY        Entry
//	LOCKBOX_API_ALLOW_HTTP   AllowHTTP: true or false
//
// Each may be in a file instead, as Kubernetes mounts secrets: LOCKBOX_API_KEY_FILE=/run/secrets/key. One line end at the
// end of a file is dropped. All mistakes are reported at once, by the variable's name and without its value; each is
// ErrInvalid.
func ConfigFromEnv() (Config, error) {
	config, mistakes := readEnvironment()
	if len(mistakes) > 0 {
		return Config{}, errors.Join(mistakes...)
	}
	return config, nil
}

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
			env.mistake("LOCKBOX_ENCRYPTION_KEY", failure.Message)
		}
		config.EncryptionKey = key
	}
	if text := env.get("LOCKBOX_API_ALLOW_HTTP"); text != "" {
		allowed, err := strconv.ParseBool(text)
		if err != nil {
			env.mistake("LOCKBOX_API_ALLOW_HTTP", "must be true or false")
		}
		config.AllowHTTP = allowed
	}
	return config, env.mistakes
}

// environment reads variables and collects mistakes.
type environment struct{ mistakes []error }

func (e *environment) mistake(name, message string) {
	e.mistakes = append(e.mistakes, invalid("invalid_setting", name, name+": "+message))
}

func (e *environment) required(name string) string {
	before := len(e.mistakes)
	text := e.get(name)
	if text == "" && len(e.mistakes) == before {
		e.mistake(name, "is not set; set it, or "+name+"_FILE")
	}
	return text
}

// get returns a variable, or what is in the file that its twin names.
func (e *environment) get(name string) string {
	text, path := os.Getenv(name), os.Getenv(name+"_FILE")
	if path == "" {
		return text
	}
	if text != "" {
		e.mistake(name, "is set, and so is "+name+"_FILE: set one of them")
		return ""
	}
	content, err := os.ReadFile(path) //nolint:gosec // the path is a setting of this program
	if err != nil {
		e.mistake(name+"_FILE", err.Error())
		return ""
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(content), "\n"), "\r")
}
