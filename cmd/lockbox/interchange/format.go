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

// Format is how a file is written.
type Format string

// The formats. Shell and Kubernetes are written only.
const (
	Dotenv     Format = "dotenv"
	JSON       Format = "json"
	YAML       Format = "yaml"
	Shell      Format = "shell"
	Kubernetes Format = "kubernetes"
)

// Written are the formats that Write writes.
func Written() []string { return []string{"dotenv", "json", "yaml", "shell", "kubernetes"} }

// HoldsVariables reports whether what is written in the format sets variables, of a shell or of programs.
func (f Format) HoldsVariables() bool { return f == Dotenv || f == Shell || f == Kubernetes }

// Readable are the formats that Read reads.
func Readable() []string { return []string{"dotenv", "json", "yaml"} }

// FormatOf tells the format of a file from its name: .json, .yaml, .yml, and .env in .env, prod.env and .env.local.
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
	return Dotenv, strings.HasPrefix(name, ".env.")
}

// Read reads an object from a file of a format. Anything else than an object is refused.
func Read(format Format, text []byte) (Value, error) {
	var value Value
	var err error
	switch format {
	case Dotenv:
		value, err = ReadDotenv(text)
	case JSON:
		value, err = Parse(bytes.TrimPrefix(text, []byte("\ufeff")))
	case YAML:
		value, err = ReadYAML(text)
	default:
		return Value{}, fmt.Errorf("the format is one of %s, not %q", strings.Join(Readable(), ", "), format)
	}
	if err != nil {
		return Value{}, err
	}
	if !value.isObject {
		return Value{}, errors.New("it holds one value and no names")
	}
	return value, nil
}

// Options say how Write writes what has a choice.
type Options struct {
	Naming Naming
	// Secret is for Kubernetes alone.
	Secret Secret
}

// Write writes a value in a format. JSON and YAML hold it as it is; the others hold variables.
func Write(out io.Writer, format Format, value Value, options Options) error {
	switch format {
	case JSON:
		return writeJSON(out, value)
	case YAML:
		return WriteYAML(out, value)
	}
	if !slices.Contains(Written(), string(format)) {
		return fmt.Errorf("the format is one of %s, not %q", strings.Join(Written(), ", "), format)
	}
	variables, err := value.Variables(options.Naming)
	if err != nil {
		return err
	}
	switch format {
	case Shell:
		return WriteShell(out, variables)
	case Kubernetes:
		return WriteKubernetes(out, options.Secret, variables)
	}
	return WriteDotenv(out, variables)
}

func writeJSON(out io.Writer, value Value) error {
	text, err := Indented(value.text)
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}

// Indented writes JSON as people read it, with a line end after it. What is nested deeper than anybody writes stays on its
// line: the blanks before each value would make gigabytes of half a megabyte.
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

// nesting returns how deep JSON is nested.
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
