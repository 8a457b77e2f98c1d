package domain

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// The limits of a droplet's environment. Linux limits each string NAME=value to 128 KiB, including the terminating zero
// byte. Linux also limits the total length of all strings to a fraction of the stack size.
const (
	MaxEnvEntries = 64
	maxEnvString  = 128<<10 - 1
	// MaxEnvBytes is the maximum total length of all strings.
	MaxEnvBytes = 512 << 10
)

// CheckEnvNames refuses invalid names of environment variables, and names that control which programs and libraries
// run.
func CheckEnvNames(env map[string]string) error {
	if len(env) > MaxEnvEntries {
		return InvalidField("env", "invalid_env", "env has more than "+strconv.Itoa(MaxEnvEntries)+" names")
	}
	for name := range env {
		if !isEnvName(name) {
			return InvalidField("env", "invalid_env",
				"a name in env must consist of capital letters, digits and '_', and must not begin with a digit")
		}
		if name == "PATH" || strings.HasPrefix(name, "LD_") {
			return InvalidField("env", "invalid_env",
				"env."+name+" cannot be set: "+
					"PATH and names that begin with LD_ are refused, because they decide which programs are run")
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

// EnvString converts the JSON text of an entry to NAME=value. A JSON string becomes its text, and any other value
// becomes compact JSON. An error names the variable but never contains the value. The result is a copy; the caller
// clears it.
func EnvString(name string, value []byte) (Secret, error) {
	text, err := envText(value)
	if err != nil {
		return Secret{}, InvalidField("env."+name, "invalid_env", "the entry of env."+name+" is not JSON")
	}
	if isJSONString(value) && LoneSurrogates(value) > 0 { // other values stay JSON, with their escapes
		clear(text)
		return Secret{}, InvalidField("env."+name, "invalid_env",
			"the entry of env."+name+" contains half of a surrogate pair, which is not a character")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		clear(text)
		return Secret{}, InvalidField("env."+name, "invalid_env",
			"the entry of env."+name+" contains a zero byte, which a variable cannot contain")
	}
	if len(name)+1+len(text) > maxEnvString {
		clear(text)
		return Secret{}, InvalidField("env."+name, "invalid_env",
			"env."+name+" is too long: the limit for NAME=value is 128 KiB")
	}
	whole := make([]byte, 0, len(name)+1+len(text))
	whole = append(append(append(whole, name...), '='), text...)
	clear(text)
	return secretOf(whole), nil
}

func isJSONString(value []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(value), []byte{'"'}) }

// envText returns a new slice. The caller may clear the slice without changing the entry.
func envText(value []byte) ([]byte, error) {
	if isJSONString(value) {
		var text string
		err := json.Unmarshal(value, &text)
		return []byte(text), err
	}
	var compact bytes.Buffer
	err := json.Compact(&compact, value)
	return compact.Bytes(), err
}

// CheckEnvSize refuses an environment whose strings exceed MaxEnvBytes in total.
func CheckEnvSize(env []Secret) error {
	total := 0
	for _, each := range env {
		total += len(each.Bytes()) + 1
	}
	if total > MaxEnvBytes {
		return InvalidField("env", "invalid_env",
			"env is "+strconv.Itoa(total)+" bytes in total; the limit is "+strconv.Itoa(MaxEnvBytes))
	}
	return nil
}

// WithoutValues returns the host's refusal, or ErrDropletReasonWithheld if the host's reason contains a value of env.
//
// WithoutValues searches the reason for each line of a value, both plain and escaped as in a quoted string. Lines of
// less than four bytes are skipped, because they occur in ordinary text by chance. WithoutValues also searches for the
// whole string NAME=value, which finds short values too.
func WithoutValues(refusal *Error, env []Secret) *Error {
	for _, each := range env {
		_, value, _ := strings.Cut(string(each.Bytes()), "=")
		if strings.Contains(refusal.Message, string(each.Bytes())) {
			return ErrDropletReasonWithheld
		}
		for line := range strings.SplitSeq(value, "\n") {
			if len(line) >= 4 && repeats(refusal.Message, line) {
				return ErrDropletReasonWithheld
			}
		}
	}
	return refusal
}

// repeats reports whether text contains the secret: plain, quoted as in Go, or quoted as in JSON.
func repeats(text, secret string) bool {
	inJSON, _ := json.Marshal(secret)
	quoted := strconv.Quote(secret)
	return strings.Contains(text, secret) || strings.Contains(text, quoted[1:len(quoted)-1]) ||
		strings.Contains(text, string(inJSON[1:len(inJSON)-1]))
}
