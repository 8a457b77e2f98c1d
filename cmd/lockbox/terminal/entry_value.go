package terminal

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/interchange"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// maxInput is the maximum size of a value from a file or standard input, in bytes. It protects this program's memory;
// the server's own limit (LOCKBOX_MAX_VALUE_BYTES) is lower by default.
const maxInput = 64 << 20

// valueFlags select the source of the value that lockbox set writes. At most one of these sources may be given: an
// argument, standard input or a generated value. If no source is given, the command asks for the value.
type valueFlags struct {
	// stdin reads the value from standard input.
	stdin bool
	// asString stores the text as a string, even if the text is JSON. Without asString, the command asks for
	// confirmation before text such as name=value replaces an object or array.
	asString bool
	// generate is the length of a random value; 0 means no random value.
	generate int
	// show prints the random value.
	show bool
}

// addFlags adds the flags. The flag --generate excludes --stdin and --string. The flag --show requires --generate.
func (f *valueFlags) addFlags(command *cobra.Command) {
	command.Flags().BoolVar(&f.stdin, "stdin", false, "read the value from standard input")
	command.Flags().BoolVar(&f.asString, "string", false,
		"store the text as a string, even if it is JSON, and do not ask for confirmation")
	command.Flags().IntVar(&f.generate, "generate", 0, "generate a value of this many random letters and digits")
	command.Flags().BoolVar(&f.show, "show", false, "with --generate: print the generated value")
	command.MarkFlagsMutuallyExclusive("stdin", "generate")
	command.MarkFlagsMutuallyExclusive("string", "generate")
}

// value returns the value to write, as JSON. The parameter args holds the arguments after the address. Without an
// argument and without a flag, the command asks for the value and does not echo the answer.
func (f valueFlags) value(command *cobra.Command, s *session, args []string) (interchange.Value, error) {
	generating := command.Flags().Changed("generate")
	switch {
	case len(args) > 0 && (f.stdin || generating):
		return interchange.Value{},
			&usageError{errors.New("give the value only once: as an argument, with --stdin, or with --generate")}
	case f.show && !generating:
		return interchange.Value{},
			&usageError{errors.New("--show needs --generate; to print a stored value, use lockbox get")}
	case generating:
		return f.generated(s)
	case f.stdin:
		return f.read(s, s.input(command.Context()), "standard input")
	// Ask only if the command line gives no value, so that a script never waits for a person.
	case len(args) == 0:
		return s.promptForValue(command)
	}
	return f.fromArgument(s, args[0])
}

// fromArgument returns an argument as a string, or the contents of a file for @FILE. A leading @@ stands for one @.
func (f valueFlags) fromArgument(s *session, text string) (interchange.Value, error) {
	path, isFile := strings.CutPrefix(text, "@")
	switch {
	case isFile && strings.HasPrefix(path, "@"):
		text = path
	case isFile:
		file, err := os.Open(path) //nolint:gosec // the user names the file
		if err != nil {
			return interchange.Value{}, &usageError{fmt.Errorf(
				"cannot read the value: %w; to store a value that begins with @, write @@", err)}
		}
		defer file.Close()
		return f.read(s, file, path)
	}
	if !utf8.ValidString(text) {
		return interchange.Value{}, notUTF8("the value")
	}
	return interchange.Text(text), nil
}

// read returns valid JSON unchanged, and any other text as a JSON string. If the text is a single line, read removes
// the line end, because editors and echo add one. Text of several lines, such as a key file, keeps its last line end.
// The parameter source is the name of the input in error messages.
func (f valueFlags) read(s *session, in io.Reader, source string) (interchange.Value, error) {
	text, err := readAll(in, source)
	if err != nil {
		return interchange.Value{}, err
	}
	// Editors on Windows write a byte order mark, which JSON does not allow.
	plain := bytes.TrimPrefix(text, []byte(byteOrderMark))
	// Refuse input that contains only a line end. It usually comes from a script that prints an unset variable.
	if len(bytes.Trim(plain, "\r\n")) == 0 {
		return interchange.Value{}, &usageError{fmt.Errorf("%s is empty; to store an empty string, use the argument ''",
			source)}
	}
	if !utf8.Valid(text) {
		return interchange.Value{}, notUTF8(source)
	}
	if !f.asString {
		value, isJSON, err := s.readJSON(plain, source)
		if isJSON || err != nil {
			return value, err
		}
	}
	if len(plain) < len(text) {
		s.warn("%s begins with a byte order mark, which becomes part of the string", source)
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if !bytes.ContainsAny(line, "\r\n") {
		text = line
	}
	return interchange.Text(string(text)), nil
}

// byteOrderMark is the character U+FEFF, with which editors on Windows begin a file.
const byteOrderMark = "\ufeff"

// beginsLikeJSON matches text that is probably JSON. It does not match a template ({{) or an INI file ([name]).
var beginsLikeJSON = regexp.MustCompile(`^\s*(\{\s*(["}]|$)|\[\s*["{\[\]0-9-])`)

// readJSON parses a text and reports whether it is JSON. The returned value has no white space around it. Invalid JSON
// in a .json file is an error. If text from another source begins like JSON but is not valid JSON, readJSON prints a
// warning.
func (s *session) readJSON(text []byte, source string) (value interchange.Value, isJSON bool, err error) {
	value, problem := interchange.Parse(text)
	switch {
	case problem == nil:
		return value, true, nil
	case json.Valid(text):
		// The text has duplicate names or deep nesting. Parse refuses such text, but it is valid JSON: the server
		// stores it, and lockbox get prints it.
		s.warn("%s: %v; the value can be stored, but lockbox run, export, import and --field refuse it", source,
			problem)
		return interchange.Raw(bytes.TrimSpace(text)), true, nil
	case strings.EqualFold(filepath.Ext(source), ".json"):
		return value, false, &usageError{fmt.Errorf("%s: %w; correct the file, or use --string to store it as a string",
			source, problem)}
	case beginsLikeJSON.Match(text):
		s.warn("%s begins like JSON, but is not valid JSON (%v), so it is stored as a string", source, problem)
	}
	return value, false, nil
}

// readAll reads an input completely. It returns a usage error for more than maxInput bytes. The parameter source is the
// name of the input in error messages.
func readAll(in io.Reader, source string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxInput+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", source, err)
	}
	if len(text) > maxInput {
		return nil, &usageError{fmt.Errorf("%s is larger than %d MiB", source, maxInput>>20)}
	}
	return text, nil
}

// notUTF8 returns the error for text that is not valid UTF-8, because JSON cannot contain such text. The user must
// encode the text: if the program guessed its encoding, a wrong guess would change the secret.
func notUTF8(source string) error {
	return &usageError{fmt.Errorf("%s is not UTF-8 text, which JSON requires: encode it first, for example with base64",
		source)}
}

// promptForValue asks for a value and returns it as a string, even if it looks like JSON. Standard input must be a
// terminal: a script without --stdin must fail instead of waiting for a person. A paste of several lines becomes one
// value. A notice reports this to the user, because most prompts accept only one line.
func (s *session) promptForValue(command *cobra.Command) (interchange.Value, error) {
	noValue := &usageError{errors.New("no value given: use an argument, @FILE, --stdin or --generate")}
	if !prompt.IsTerminal(s.in) {
		return interchange.Value{}, noValue
	}
	text, err := prompt.HiddenText(command.Context(), "Value: ")
	switch {
	case errors.Is(err, prompt.ErrNoTerminal):
		return interchange.Value{}, noValue
	case errors.Is(err, prompt.ErrSeveralLines):
		return interchange.Value{},
			&usageError{fmt.Errorf("%w: use @FILE or --stdin for a value of several lines", err)}
	case err != nil:
		return interchange.Value{}, err
	case !utf8.ValidString(text):
		return interchange.Value{}, notUTF8("the value")
	}
	if lines := strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1; lines > 1 {
		s.report("The value consists of all %d lines of the pasted text.", lines)
	}
	return interchange.Text(text), nil
}

// The alphabet and the maximum length of generated values. Each of the 62 characters carries 5.95 bits of entropy, so
// 22 characters exceed 128 bits and 43 exceed 256 bits.
const (
	alphabet     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	maxGenerated = 4096
)

// generated returns a random string. With --show it prints the string before the entry is written.
func (f valueFlags) generated(s *session) (interchange.Value, error) {
	if f.generate < 1 || f.generate > maxGenerated {
		return interchange.Value{}, &usageError{fmt.Errorf("--generate must be a number from 1 to %d", maxGenerated)}
	}
	text := generate(f.generate)
	// Print the value before the entry is written. If printing fails, the entry stays unchanged. If the write fails,
	// the exit code shows that the printed value was not stored.
	if f.show {
		if _, err := fmt.Fprintln(s.out, text); err != nil {
			return interchange.Value{}, err
		}
	}
	return interchange.Text(text), nil
}

// generate returns a random string of the given length. It chooses each character of the string independently and
// uniformly from alphabet, with crypto/rand.
func generate(length int) string {
	text := make([]byte, 0, length)
	var random [64]byte
	for {
		_, _ = rand.Read(random[:]) // never fails
		for _, c := range random {
			if int(c) >= 256-256%len(alphabet) {
				continue // a modulo of these bytes would favour the first letters
			}
			if text = append(text, alphabet[int(c)%len(alphabet)]); len(text) == length {
				return string(text)
			}
		}
	}
}
