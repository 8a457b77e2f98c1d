package terminal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// maxInput bounds what is read from a file or standard input; servers take less (LOCKBOX_MAX_VALUE_BYTES).
const maxInput = 64 << 20

// valueFlags say where the value that is to be set comes from.
type valueFlags struct {
	stdin, asString bool
	generate        int
	show            bool
}

func (f *valueFlags) flags(command *cobra.Command) {
	command.Flags().BoolVar(&f.stdin, "stdin", false, "read the value from standard input")
	command.Flags().BoolVar(&f.asString, "string", false, "take a file or standard input as a string, JSON or not")
	command.Flags().IntVar(&f.generate, "generate", 0, "make a value of this many random letters and digits")
	command.Flags().BoolVar(&f.show, "show", false, "with --generate: print the value, too")
	command.MarkFlagsMutuallyExclusive("stdin", "generate")
	command.MarkFlagsMutuallyExclusive("string", "generate")
}

// value returns the value that is to be set. It is asked for where nothing says where it comes from.
func (f valueFlags) value(command *cobra.Command, s *session, args []string) (json.RawMessage, error) {
	given := command.Flags().Changed("generate")
	switch {
	case len(args) > 0 && (f.stdin || given):
		return nil, &usageError{errors.New("the value is given twice: as an argument, and by --stdin or --generate")}
	case f.show && !given:
		return nil, &usageError{errors.New("--show goes with --generate; lockbox get shows a value")}
	case given:
		return f.generated(s)
	case f.stdin:
		return f.read(s.input(command.Context()), "standard input")
	case len(args) == 0:
		return s.askForValue(command)
	}
	text := args[0]
	path, isFile := strings.CutPrefix(text, "@")
	switch {
	case isFile && strings.HasPrefix(path, "@"):
		text = path
	case isFile:
		file, err := os.Open(path) //nolint:gosec // what the user named
		if err != nil {
			return nil, &usageError{fmt.Errorf("the value cannot be read: %w (a value that begins with @ is written "+
				"with two)", err)}
		}
		defer file.Close()
		return f.read(file, path)
	}
	if !utf8.ValidString(text) {
		return nil, notText("the value")
	}
	return interchange.Text(text).JSON(), nil
}

// read takes JSON where it parses, and a string otherwise. A string of one line loses the end of that line, which editors
// and echo put there; one of more lines, such as a key file, is kept as it is.
func (f valueFlags) read(in io.Reader, from string) (json.RawMessage, error) {
	text, err := readAll(in, from)
	if err != nil {
		return nil, err
	}
	if len(text) == 0 {
		return nil, &usageError{fmt.Errorf("%s is empty; an empty string is set with the argument ''", from)}
	}
	if !utf8.Valid(text) {
		return nil, notText(from)
	}
	if !f.asString && json.Valid(text) {
		return bytes.TrimSpace(text), nil
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if !bytes.ContainsAny(line, "\r\n") {
		text = line
	}
	return interchange.Text(string(text)).JSON(), nil
}

func readAll(in io.Reader, from string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", from, err)
	}
	if len(text) > maxInput {
		return nil, &usageError{fmt.Errorf("%s is larger than %d MiB", from, maxInput>>20)}
	}
	return text, nil
}

func notText(from string) error {
	return &usageError{fmt.Errorf("%s is not UTF-8 text, which JSON is made of: encode it, as with base64", from)}
}

func (s *session) askForValue(command *cobra.Command) (json.RawMessage, error) {
	nowhere := &usageError{errors.New(
		"there is no value: give it as an argument, as @FILE, or with --stdin or --generate")}
	if !prompt.IsTerminal(s.in) {
		return nil, nowhere
	}
	text, err := prompt.Hidden(command.Context(), "Value: ")
	if errors.Is(err, prompt.ErrNoTerminal) {
		return nil, nowhere
	}
	if err != nil {
		return nil, err
	}
	if !utf8.ValidString(text) {
		return nil, notText("the value")
	}
	return interchange.Text(text).JSON(), nil
}

// What generated values are made of, and how long they may be. 62 characters make 5.95 bits each: 22 are 128 bits, 43 are 256.
const (
	alphabet     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	maxGenerated = 4096
)

func (f valueFlags) generated(s *session) (json.RawMessage, error) {
	if f.generate < 1 || f.generate > maxGenerated {
		return nil, &usageError{fmt.Errorf("--generate makes 1 to %d characters", maxGenerated)}
	}
	text := generate(f.generate)
	if f.show {
		if _, err := fmt.Fprintln(s.out, text); err != nil {
			return nil, err
		}
	}
	return interchange.Text(text).JSON(), nil
}

func generate(length int) string {
	text := make([]byte, 0, length)
	var random [64]byte
	for {
		_, _ = rand.Read(random[:]) // never fails
		for _, c := range random {
			if int(c) >= 256-256%len(alphabet) {
				continue // or the first letters would come more often
			}
			if text = append(text, alphabet[int(c)%len(alphabet)]); len(text) == length {
				return string(text)
			}
		}
	}
}
