package domain

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// What a droplet's environment may hold. Linux takes 128 KiB for one string, NAME=value with the zero byte at its end, and
// no more than a part of the stack for all of them together.
const (
	MaxEnvEntries = 64
	maxEnvString  = 128<<10 - 1
	// MaxEnvBytes is of all strings together.
	MaxEnvBytes = 512 << 10
)

// CheckEnvNames refuses names of environment variables that a droplet cannot have: those that are no names, and those that
// decide which programs and libraries are run.
func CheckEnvNames(env map[string]string) error {
	if len(env) > MaxEnvEntries {
		return InvalidField("env", "invalid_env", "env has more than "+strconv.Itoa(MaxEnvEntries)+" names")
	}
	for name := range env {
		if !isEnvName(name) {
			return InvalidField("env", "invalid_env",
				"a name in env must be capital letters, digits and '_', and not begin with a digit")
		}
		if name == "PATH" || strings.HasPrefix(name, "LD_") {
			return InvalidField("env", "invalid_env",
				"env."+name+" cannot be set: PATH and LD_… decide which programs are run")
		}
	}
	return nil
}

func isEnvName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if !('A' <= c && c <= 'Z' || c == '_' || i > 0 && isDigit(c)) {
			return false
		}
	}
	return name != ""
}

// EnvString turns the JSON text of an entry into NAME=value: a string as it is, anything else as compact JSON. The refusal
// names the variable and repeats nothing of the value.
func EnvString(name string, value []byte) (Secret, error) {
	text, err := envText(value)
	if err != nil {
		return Secret{}, InvalidField("env."+name, "invalid_env", "the entry of env."+name+" is not JSON")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		clear(text)
		return Secret{}, InvalidField("env."+name, "invalid_env",
			"the entry of env."+name+" holds a zero byte, which no environment can")
	}
	if len(name)+1+len(text) > maxEnvString {
		clear(text)
		return Secret{}, InvalidField("env."+name, "invalid_env",
			"env."+name+" is too long: an environment takes 128 KiB for one string")
	}
	whole := make([]byte, 0, len(name)+1+len(text))
	whole = append(append(append(whole, name...), '='), text...)
	clear(text)
	return secretOf(whole), nil
}

func envText(value []byte) ([]byte, error) {
	if bytes.HasPrefix(bytes.TrimSpace(value), []byte{'"'}) {
		var text string
		err := json.Unmarshal(value, &text)
		return []byte(text), err
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, value)
	return compact.Bytes(), err
}

// CheckEnvSize refuses an environment that is too large as a whole.
func CheckEnvSize(env []Secret) error {
	total := 0
	for _, each := range env {
		total += len(each.Bytes()) + 1
	}
	if total > MaxEnvBytes {
		return InvalidField("env", "invalid_env",
			"env is "+strconv.Itoa(total)+" bytes as a whole; the limit is "+strconv.Itoa(MaxEnvBytes))
	}
	return nil
}

// WithoutValues returns the reason of a host, or a sentence in its place when the reason repeats a value of env. It looks
// for the lines of each value as they are and as they look inside quotes. Values of less than four bytes are looked for
// whole, with their name.
func WithoutValues(reason string, env []Secret) string {
	const withheld = "Error response from daemon: the droplet host refused, in words that are withheld because they " +
		"repeat a value of env"
	for _, each := range env {
		_, value, _ := strings.Cut(string(each.Bytes()), "=")
		if strings.Contains(reason, string(each.Bytes())) {
			return withheld
		}
		for line := range strings.SplitSeq(value, "\n") {
			if len(line) >= 4 && repeats(reason, line) {
				return withheld
			}
		}
	}
	return reason
}

func repeats(text, secret string) bool {
	inJSON, _ := json.Marshal(secret)
	quoted := strconv.Quote(secret)
	return strings.Contains(text, secret) || strings.Contains(text, quoted[1:len(quoted)-1]) ||
		strings.Contains(text, string(inJSON[1:len(inJSON)-1]))
}
