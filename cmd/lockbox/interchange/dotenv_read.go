package interchange

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ReadDotenv reads a .env file:
//
//	file     = [BOM] { line }                        lines end in LF or CR LF
//	line     = blank | "#" … | ["export"] name "=" value
//	name     = letters, digits, '_', '.', '-'
//	value    = single | double | backtick | bare     after quotes, blanks and a comment may follow
//	single   = "'" anything but "'" "'"              may contain line ends; no escapes
//	double   = '"' … '"'                             may contain line ends; \n \r \t \" \\ \$ \` are escapes
//	backtick = as single, with '`'
//	bare     = the rest of the line, without blanks around it and without a comment, which begins with a blank and '#'
//
// '$' has no special meaning: passwords may contain it, so no variable is substituted. If a name occurs several times,
// the last value wins, as in a shell. If the line with the closing quote ends in CR LF, every CR LF in the quoted value
// becomes LF. Errors contain the line number but no text from the line.
func ReadDotenv(text []byte) (Value, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	reader := dotenvReader{rest: string(text), line: 1, index: map[string]int{}}
	for reader.rest != "" {
		if err := reader.readLine(); err != nil {
			return Value{}, fmt.Errorf("line %d: %w", reader.line, err)
		}
	}
	return object(reader.members), nil
}

// dotenvReader reads a file line by line. It stops at the first error.
type dotenvReader struct {
	rest string
	line int  // number of the line at which rest begins
	crlf bool // whether the last complete line ended in CR LF
	// members has the parsed variables, in the order in which their names first occur.
	members []member
	index   map[string]int // position of each name in members
}

// These are the errors for mistakes in a .env file. They quote no text from the file, because it contains secrets.
var (
	errNoAssignment = errors.New("expected NAME=value")
	errName         = errors.New("the name before '=' may contain only letters, digits, '_', '.' and '-'")
	errUnclosed     = errors.New("the quote at the beginning of the value is never closed")
	errAfterQuote   = errors.New("unexpected text after the closing quote: put the whole value into one pair of quotes")
	errNotUTF8      = errors.New("the value is not UTF-8 text")
	errNUL          = errors.New("the value contains a NUL character, which a variable cannot hold")
)

// readLine reads one line. If a quoted value contains line ends, readLine reads all lines of the value.
func (r *dotenvReader) readLine() error {
	line, _, _ := strings.Cut(r.rest, "\n")
	statement := strings.TrimLeft(line, " \t\r")
	if statement == "" || statement[0] == '#' {
		r.endLine(len(line))
		return nil
	}
	// A name cannot contain '=', so the first '=' ends the name.
	equals := strings.IndexByte(line, '=')
	if equals < 0 {
		return errNoAssignment
	}
	name := assignedName(line[:equals])
	if !isDotenvName(name) {
		return errName
	}
	value, length, err := r.value(equals + 1)
	if err != nil {
		return err
	}
	if !utf8.ValidString(value) {
		return errNotUTF8
	}
	if strings.Contains(value, "\x00") {
		return errNUL
	}
	r.set(name, value)
	r.endLine(length)
	return nil
}

// assignedName returns the variable name in the text before '='. It removes blanks and the word export. In the line
// export=1, however, export is the name.
func assignedName(text string) string {
	name := strings.Trim(text, " \t")
	if exported, found := strings.CutPrefix(name, "export"); found && strings.TrimLeft(exported, " \t") != exported {
		return strings.TrimLeft(exported, " \t")
	}
	return name
}

// isDotenvName reports whether a name is valid. A valid name may contain dots and dashes; lockbox run converts them to
// '_'.
func isDotenvName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return !isNameRune(c, true) && c != '.' && c != '-'
	})
}

// value reads the value that begins at rest[from]. It also returns the index of the end of the value's last line.
func (r *dotenvReader) value(from int) (string, int, error) {
	start := from + len(r.rest[from:]) - len(strings.TrimLeft(r.rest[from:], " \t"))
	if start == len(r.rest) || !strings.ContainsRune("'\"`", rune(r.rest[start])) {
		line, _, _ := strings.Cut(r.rest[from:], "\n")
		return bareValue(line), from + len(line), nil
	}
	quote := r.rest[start]
	end := closingQuote(r.rest[start+1:], quote)
	if end < 0 {
		return "", 0, errUnclosed
	}
	value, after := r.rest[start+1:start+1+end], start+1+end+1
	// After the quote, accept only blanks and a comment. Between the quote and '#' there must be a blank: in 'x'#y, a
	// shell would treat #y as a part of the value.
	trailing, _, ended := strings.Cut(r.rest[after:], "\n")
	if rest := strings.Trim(trailing, " \t\r"); rest != "" && (rest[0] != '#' || trailing[0] == '#') {
		return "", 0, errAfterQuote
	}
	// The last line of a file can lack a line end. In that case, assume the same line end as in the previous line.
	if ended && strings.HasSuffix(trailing, "\r") || !ended && r.crlf {
		value = strings.ReplaceAll(value, "\r\n", "\n")
	}
	if quote == '"' {
		value = unescape(value)
	}
	return value, after + len(trailing), nil
}

// bareValue returns a value without quotes. A '#' begins a comment only after a blank, so the whole text a#b is a
// value.
func bareValue(line string) string {
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.Trim(line, " \t\r")
}

// closingQuote returns the index of the quote that ends a value, or -1 if there is none. Inside double quotes, it skips
// a quote after a backslash.
func closingQuote(text string, quote byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == quote:
			return i
		case text[i] == '\\' && quote == '"':
			i++
		}
	}
	return -1
}

// unescape replaces the escapes that are valid inside double quotes; see ReadDotenv. It keeps every other backslash.
func unescape(text string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			out.WriteByte(text[i])
			continue
		}
		i++
		switch c := text[i]; c {
		case 'n':
			out.WriteByte('\n')
		case 'r':
			out.WriteByte('\r')
		case 't':
			out.WriteByte('\t')
		case '"', '\\', '$', '`':
			out.WriteByte(c)
		default:
			out.WriteByte('\\')
			out.WriteByte(c)
		}
	}
	return out.String()
}

// set stores a value. If the name already exists, the new value replaces the old value at the same position.
func (r *dotenvReader) set(name, value string) {
	if i, exists := r.index[name]; exists {
		r.members[i].value = Text(value)
		return
	}
	r.index[name] = len(r.members)
	r.members = append(r.members, member{name: name, value: Text(value)})
}

// endLine moves the reader to the next line. The argument end is the length of the current line in rest, without the
// line end.
func (r *dotenvReader) endLine(end int) {
	r.line += strings.Count(r.rest[:end], "\n") + 1
	r.crlf = end > 0 && r.rest[end-1] == '\r'
	if end < len(r.rest) {
		end++
	}
	r.rest = r.rest[end:]
}
