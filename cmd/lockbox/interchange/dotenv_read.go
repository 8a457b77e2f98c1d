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
//	file    = [BOM] { line }                        lines end in LF or CR LF
//	line    = blank | "#" … | ["export"] name "=" value
//	name    = letters, digits, '_', '.', '-'
//	value   = single | double | backtick | bare     then, after quotes, blanks and a comment
//	single  = "'" anything but "'" "'"              may hold line ends; nothing is escaped
//	double  = '"' … '"'                             may hold line ends; \n \r \t \" \\ \$ \` are escapes
//	backtick, as single with '`'
//	bare    = the rest of the line, without blanks around it and without a comment, which begins with a blank and '#'
//
// '$' is a letter like any other: nothing is replaced by the value of a variable, since a password may hold one. Of a
// name that is there twice the last value counts, as in a shell. Within quotes, CR LF is LF where the line itself ends in
// CR LF. Errors give the number of the line, and nothing of it.
func ReadDotenv(text []byte) (Value, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	reader := dotenvReader{rest: string(text), line: 1, at: map[string]int{}}
	for reader.rest != "" {
		if err := reader.readLine(); err != nil {
			return Value{}, fmt.Errorf("line %d: %w", reader.line, err)
		}
	}
	return object(reader.members), nil
}

type dotenvReader struct {
	rest    string
	line    int  // of what rest begins with
	crlf    bool // whether the line before ended in CR LF
	members []member
	at      map[string]int // where in members a name is
}

var (
	errNoSign     = errors.New("there is no NAME=value")
	errName       = errors.New("the name before '=' is not made of letters, digits, '_', '.' and '-'")
	errUnclosed   = errors.New("the quote that begins the value is never closed")
	errAfterQuote = errors.New(
		"there is more after the quote that ends the value: put all of it into one pair of quotes")
	errNotText     = errors.New("this is not UTF-8 text")
	errNulInDotenv = errors.New("there is a NUL character, which no variable can hold")
)

// readLine reads one line, or as many as a quoted value takes.
func (r *dotenvReader) readLine() error {
	line, _, _ := strings.Cut(r.rest, "\n")
	statement := strings.TrimLeft(line, " \t\r")
	if statement == "" || statement[0] == '#' {
		r.endLine(len(line))
		return nil
	}
	sign := strings.IndexByte(line, '=')
	if sign < 0 {
		return errNoSign
	}
	name := strings.Trim(line[:sign], " \t")
	if exported, is := strings.CutPrefix(name, "export"); is && strings.TrimLeft(exported, " \t") != exported {
		name = strings.TrimLeft(exported, " \t")
	}
	if name == "" || strings.ContainsFunc(name, func(c rune) bool {
		return !inName(c, true) && c != '.' && c != '-'
	}) {
		return errName
	}
	value, length, err := r.value(sign + 1)
	if err != nil {
		return err
	}
	if !utf8.ValidString(value) {
		return errNotText
	}
	if strings.Contains(value, "\x00") {
		return errNulInDotenv
	}
	r.set(name, value)
	r.endLine(length)
	return nil
}

// value reads a value that begins at an index of rest, and returns with it the index at which its line ends.
func (r *dotenvReader) value(from int) (string, int, error) {
	start := from + len(r.rest[from:]) - len(strings.TrimLeft(r.rest[from:], " \t"))
	if start == len(r.rest) || !strings.ContainsRune("'\"`", rune(r.rest[start])) {
		line, _, _ := strings.Cut(r.rest[from:], "\n")
		return bare(line), from + len(line), nil
	}
	mark := r.rest[start]
	end := closing(r.rest[start+1:], mark)
	if end < 0 {
		return "", 0, errUnclosed
	}
	value, after := r.rest[start+1:start+1+end], start+1+end+1
	trailing, _, ended := strings.Cut(r.rest[after:], "\n")
	if rest := strings.Trim(trailing, " \t\r"); rest != "" && (rest[0] != '#' || trailing[0] == '#') {
		return "", 0, errAfterQuote
	}
	if ended && strings.HasSuffix(trailing, "\r") || !ended && r.crlf {
		value = strings.ReplaceAll(value, "\r\n", "\n")
	}
	if mark == '"' {
		value = unescape(value)
	}
	return value, after + len(trailing), nil
}

// bare returns a value without quotes. A '#' within a word is a part of it.
func bare(line string) string {
	for i := 1; i < len(line); i++ {
		if line[i] == '#' && (line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.Trim(line, " \t\r")
}

// closing returns the index of the quote that ends a value, -1 where there is none.
func closing(text string, mark byte) int {
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == mark:
			return i
		case text[i] == '\\' && mark == '"':
			i++
		}
	}
	return -1
}

// unescape replaces the escapes between double quotes; a backslash before anything else stays.
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

func (r *dotenvReader) set(name, value string) {
	if at, known := r.at[name]; known {
		r.members[at].value = Text(value)
		return
	}
	r.at[name] = len(r.members)
	r.members = append(r.members, member{name, Text(value)})
}

// endLine goes on after the line whose content ends at an index of rest.
func (r *dotenvReader) endLine(end int) {
	r.line += strings.Count(r.rest[:end], "\n") + 1
	r.crlf = end > 0 && r.rest[end-1] == '\r'
	if end < len(r.rest) {
		end++
	}
	r.rest = r.rest[end:]
}
