package interchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

// Format is the name of a file format.
type Format string

// The formats. Only Dotenv, JSON and YAML can be read.
const (
	Dotenv     Format = "dotenv"
	JSON       Format = "json"
	YAML       Format = "yaml"
	Shell      Format = "shell"
	Kubernetes Format = "kubernetes"
	Docker     Format = "docker"
	GitHub     Format = "github"
)

// Written returns the formats that Write supports.
func Written() []string {
	return []string{"dotenv", "json", "yaml", "shell", "kubernetes", "docker", "github"}
}

// Readable returns the formats that Read supports.
func Readable() []string { return []string{"dotenv", "json", "yaml"} }

// HoldsVariables reports whether a file in this format contains environment variables. JSON and YAML contain the value
// unchanged instead.
func (f Format) HoldsVariables() bool {
	return f != JSON && f != YAML && slices.Contains(Written(), string(f))
}

// FormatOf derives the format of a file from its name. It also reports whether it recognizes the name. It recognizes
// the extensions .json, .yaml, .yml and .env, and names such as .env.local.
func FormatOf(path string) (Format, bool) {
	name := strings.ToLower(filepath.Base(path))
	switch filepath.Ext(name) {
	case ".json":
		return JSON, true
	case ".yaml", ".yml":
		return YAML, true
	case ".env":
		return Dotenv, true
	}
	// Names such as .env.local have the extension .local.
	return Dotenv, strings.HasPrefix(name, ".env.")
}

// unknownFormat returns the error for an unknown format. The error lists the supported formats.
func unknownFormat(format Format, supported []string) error {
	return fmt.Errorf("unknown format %q: use one of %s", format, strings.Join(supported, ", "))
}

// Read reads an object from a file. It returns an error if the value in the file is not an object, because such a value
// has no names.
func Read(format Format, text []byte) (Value, error) {
	var value Value
	var err error
	switch format {
	case Dotenv:
		value, err = ReadDotenv(text)
	case JSON:
		// Editors on Windows write a byte order mark, which JSON does not allow.
		value, err = Parse(bytes.TrimPrefix(text, []byte("\ufeff")))
	case YAML:
		value, err = ReadYAML(text)
	default:
		return Value{}, unknownFormat(format, Readable())
	}
	if err != nil {
		return Value{}, err
	}
	if !value.isObject {
		return Value{}, errors.New("contains no object: the file must consist of names with values")
	}
	return value, nil
}

// Options are settings of Write. Some formats ignore them.
type Options struct {
	Naming Naming
	// Write uses the field Secret only if the format is Kubernetes.
	Secret Secret
}

// Write writes a value in a format. In JSON and YAML, it writes the value unchanged. In the other formats, it writes
// the variables of the value. If the format cannot contain the value, Write returns an error and writes nothing.
func Write(out io.Writer, format Format, value Value, options Options) error {
	switch format {
	case JSON:
		return writeJSON(out, value)
	case YAML:
		return WriteYAML(out, value)
	}
	if !slices.Contains(Written(), string(format)) {
		return unknownFormat(format, Written())
	}
	// All other formats hold variables.
	variables, err := value.Variables(options.Naming)
	if err != nil {
		return err
	}
	switch format {
	case Shell:
		return WriteShell(out, variables)
	case Kubernetes:
		return WriteKubernetes(out, options.Secret, variables)
	case Docker:
		return WriteDocker(out, variables)
	case GitHub:
		return WriteGitHub(out, variables)
	}
	return WriteDotenv(out, variables)
}

// writeJSON writes a value as indented JSON.
func writeJSON(out io.Writer, value Value) error {
	text, err := Indented(value.text)
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

// Indented returns the JSON with indentation and with a final line end. If the nesting is deeper than maxDepth,
// Indented returns the JSON on one line: with deep nesting, indentation could turn half a megabyte into gigabytes.
func Indented(text []byte) ([]byte, error) {
	var out bytes.Buffer
	write := func() error { return json.Indent(&out, text, "", "  ") }
	if nesting(text) > maxDepth {
		write = func() error { return json.Compact(&out, text) }
	}
	if err := write(); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// nesting returns how deeply arrays and objects are nested in JSON. It does not check the syntax.
func nesting(text []byte) int {
	depth, deepest, inString := 0, 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '[' || c == '{':
			depth++
			deepest = max(deepest, depth)
		case c == ']' || c == '}':
			depth--
		}
	}
	return deepest
}
