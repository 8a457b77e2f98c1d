package interchange

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth limits how deeply objects and arrays can be nested. Without it, the recursive functions of this package
// could exhaust the stack.
const maxDepth = 100

// errNotJSON replaces errors of the JSON decoder, because these can quote the input. The decoder returns no error after
// checkSyntax has succeeded.
var errNotJSON = errors.New("invalid JSON")

// Value is a JSON value. Unlike a value that encoding/json decodes, a Value keeps the order of an object's names and
// the digits of a number. The zero Value is not valid JSON. Values are immutable and safe for concurrent use.
type Value struct {
	// text is the original JSON, without white space before and after it.
	text     json.RawMessage
	isObject bool
	// Set for objects only.
	members []member
}

// member is a name in an object, with the value of that name.
type member struct {
	name  string
	value Value
	// If the name in the JSON contains half of a surrogate pair, the decoder replaces this half, and the field called
	// name is wrong. damaged then contains the text of the name in the JSON, without quotes. For all other members,
	// damaged is "".
	damaged string
}

// label returns the name for paths in errors and comparisons. Different names have different labels.
func (m member) label() string { return cmp.Or(m.damaged, m.name) }

// errHalfPair is the error for a text with half of a surrogate pair. In JSON, such a text can be written with an
// escape. It cannot be converted to UTF-8.
var errHalfPair = errors.New("contains half of a surrogate pair, which is not a character")

// checkName returns an error if the name contains half of a surrogate pair. Such a name cannot be written unchanged.
// The argument path is the path of the enclosing object. The error contains the path of the member.
func (m member) checkName(path []string) error {
	if m.damaged == "" {
		return nil
	}
	return fmt.Errorf("the name of the field %s %w", quotePath(append(path[:len(path):len(path)], m.label())),
		errHalfPair)
}

// Parse reads one JSON value. A duplicate name in an object is an error, because programs disagree on which value
// of such a name is valid. Errors contain line numbers and names but no values.
func Parse(text []byte) (Value, error) {
	if !utf8.Valid(text) {
		return Value{}, errors.New("not UTF-8 text")
	}
	if err := checkSyntax(text); err != nil {
		return Value{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return parse(decoder, text, nil)
}

// checkSyntax returns an error with the line number if the text is not JSON. It does not use the decoder's message,
// which quotes the input.
func checkSyntax(text []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		end := min(max(int(syntax.Offset), 0), len(text))
		return fmt.Errorf("line %d: invalid JSON", 1+bytes.Count(text[:end], []byte("\n")))
	}
	return err
}

// parse reads the next value of the decoder. For an object, it parses the members recursively. For any other value, it
// keeps the JSON as text. The argument path is the path of the value, for errors.
func parse(decoder *json.Decoder, text []byte, path []string) (Value, error) {
	before := decoder.InputOffset()
	token, err := decoder.Token()
	if err != nil {
		return Value{}, errNotJSON
	}
	switch token {
	case json.Delim('{'):
		return parseObject(decoder, text, path)
	case json.Delim('['):
		return parseArray(decoder, text)
	}
	return Value{text: bytes.TrimLeft(text[before:decoder.InputOffset()], ",: \t\r\n")}, nil
}

// parseObject reads the members of an object. The decoder must be just after the opening brace.
func parseObject(decoder *json.Decoder, text []byte, path []string) (Value, error) {
	if len(path) >= maxDepth {
		return Value{}, fmt.Errorf("nested more than %d levels deep", maxDepth)
	}
	start := int(decoder.InputOffset()) - 1
	object := Value{isObject: true}
	seen := map[string]bool{}
	for decoder.More() {
		before := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			return Value{}, errNotJSON
		}
		var each member
		each.name, _ = token.(string)
		if raw := text[before:decoder.InputOffset()]; hasHalfPair(raw) {
			each.damaged = string(bytes.Trim(raw, "\", \t\r\n"))
		}
		// The paths of all members begin with the slice path. Without the full slice expression, append could write the
		// names of two members into the same array, and one name would overwrite the other.
		inside := append(path[:len(path):len(path)], each.label())
		if seen[each.label()] {
			return Value{}, fmt.Errorf("duplicate name %s", quotePath(inside))
		}
		seen[each.label()] = true
		if each.value, err = parse(decoder, text, inside); err != nil {
			return Value{}, err
		}
		object.members = append(object.members, each)
	}
	if _, err := decoder.Token(); err != nil {
		return Value{}, errNotJSON
	}
	object.text = text[start:decoder.InputOffset()]
	return object, nil
}

// parseArray reads an array without parsing its elements. It does not detect duplicate names inside an array.
func parseArray(decoder *json.Decoder, text []byte) (Value, error) {
	start := int(decoder.InputOffset()) - 1
	for depth := 1; depth > 0; {
		token, err := decoder.Token()
		if err != nil {
			return Value{}, errNotJSON
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
		case json.Delim(']'), json.Delim('}'):
			depth--
		}
	}
	return Value{text: text[start:decoder.InputOffset()]}, nil
}

// Text returns a string as a JSON value.
func Text(text string) Value {
	return Value{text: quote(text)}
}

// Raw returns a value with the given text, which must be valid JSON. Raw does not parse the text. Even if the text is
// an object, the value has no names, and IsObject returns false.
func Raw(text json.RawMessage) Value { return Value{text: text} }

// Empty returns the object {}.
func Empty() Value { return object(nil) }

// quote returns a string as JSON. It does not escape <, > and &, which only HTML needs.
func quote(text string) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // encoding a string cannot fail
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// object returns an object with these members. Two members must not have the same name, and member.checkName must
// accept each of them.
func object(members []member) Value {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, each := range members {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(quote(each.name))
		out.WriteByte(':')
		out.Write(each.value.text)
	}
	out.WriteByte('}')
	return Value{text: out.Bytes(), isObject: true, members: members}
}

// JSON returns the text of the value as it was parsed.
func (v Value) JSON() json.RawMessage { return v.text }

// IsObject reports whether the value is an object. Other values have no names.
func (v Value) IsObject() bool { return v.isObject }

// Names returns the names of an object in their original order. If the value is not an object, Names returns no names.
func (v Value) Names() []string {
	names := make([]string, len(v.members))
	for i, each := range v.members {
		names[i] = each.name
	}
	return names
}

// Member returns the value of a name in an object. It also reports whether the name exists. Member never finds a name
// with half of a surrogate pair, because the argument cannot contain one.
func (v Value) Member(name string) (Value, bool) {
	for _, each := range v.members {
		if each.name == name && each.damaged == "" {
			return each.value, true
		}
	}
	return Value{}, false
}

// If the value is a string, String returns its contents and true. Otherwise it returns "" and false.
func (v Value) String() (string, bool) {
	if len(v.text) == 0 || v.text[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(v.text, &text)
	return text, err == nil
}

// CheckText returns an error if the value is a string with half of a surrogate pair. JSON can contain the half as an
// escape, but UTF-8 cannot. Without this check, encoding/json would silently replace the half with U+FFFD.
func (v Value) CheckText() error {
	if len(v.text) > 0 && v.text[0] == '"' && hasHalfPair(v.text) {
		return errHalfPair
	}
	return nil
}

// checkTextAt does the same as CheckText, but its error names the path of the value.
func (v Value) checkTextAt(path []string) error {
	err := v.CheckText()
	if err != nil && len(path) > 0 {
		err = fmt.Errorf("the field %s %w", quotePath(path), err)
	}
	return err
}

// CheckNames returns an error if the name of a field contains half of a surrogate pair, because Merge cannot write such
// a name. It also checks nested objects. The error contains the path of the first such field.
func (v Value) CheckNames() error { return v.checkNames(nil) }

func (v Value) checkNames(path []string) error {
	for _, each := range v.members {
		if err := each.checkName(path); err != nil {
			return err
		}
		if err := each.value.checkNames(append(path[:len(path):len(path)], each.name)); err != nil {
			return err
		}
	}
	return nil
}

// hasHalfPair reports whether valid JSON contains half of a surrogate pair: an escape for one half without an escape
// for the other half next to it.
func hasHalfPair(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		unit := escapedUnit(text[i:])
		if !utf16.IsSurrogate(unit) {
			i++ // the second byte of an escape begins no escape
			continue
		}
		i += len(`\u0000`)
		if utf16.DecodeRune(unit, escapedUnit(text[i:])) == utf8.RuneError {
			return true
		}
		i += len(`\u0000`) - 1
	}
	return false
}

// escapedUnit returns the UTF-16 code unit of the escape \uXXXX with which a text begins. It returns 0 if the text does
// not begin with such an escape.
func escapedUnit(text []byte) rune {
	if len(text) < len(`\u0000`) || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:len(`\u0000`)]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}

// Plain returns the contents of a string without quotes. It returns all other values as compact JSON.
func (v Value) Plain() string {
	if text, isString := v.String(); isString {
		return text
	}
	var out bytes.Buffer
	if err := json.Compact(&out, v.text); err != nil {
		return string(v.text)
	}
	return out.String()
}

// Field returns the value at a path of names joined with dots, such as db.password. For an element of an array, the
// name is the index, which begins at 0. If a name itself contains dots, it must be the last name of the path.
func (v Value) Field(path string) (Value, error) {
	found, exists := v.field(path)
	if !exists {
		return Value{}, fmt.Errorf("the field %q does not exist", path)
	}
	return found, nil
}

// field first looks for a member whose name is the whole path, and then for a member whose name is the first part of
// the path. If a name contains dots, it must therefore be the last name of the path.
func (v Value) field(path string) (Value, bool) {
	if found, exists := v.element(path); exists {
		return found, true
	}
	name, rest, more := strings.Cut(path, ".")
	if !more {
		return Value{}, false
	}
	inside, exists := v.element(name)
	if !exists {
		return Value{}, false
	}
	return inside.field(rest)
}

// WithField returns a copy of an object with the given value at a path. Field describes the syntax of the path.
// WithField creates missing objects on the path. It cannot change an element of an array, and returns an error if a
// parent is not an object. If an object on the path has a name that contains half of a surrogate pair, WithField would
// change this name. It therefore returns an error.
func (v Value) WithField(path string, value Value) (Value, error) {
	return v.withField(path, value, path)
}

// withField implements WithField. withField calls itself for each nested object on the path. The argument path is
// relative to the current object. The argument whole is the complete path, for errors.
func (v Value) withField(path string, value Value, whole string) (Value, error) {
	parent := strings.Split(strings.TrimSuffix(strings.TrimSuffix(whole, path), "."), ".")
	if path == whole {
		parent = nil
	}
	for _, each := range v.members {
		if err := each.checkName(parent); err != nil {
			return Value{}, err
		}
	}
	if !v.isObject {
		return Value{}, fmt.Errorf("the field %q cannot be set: its parent is not an object", whole)
	}
	name, rest, more := strings.Cut(path, ".")
	// As in the method field, a name that contains dots can only be the last name of a path.
	if _, exists := v.Member(path); exists || !more {
		name, more = path, false
	}
	if name == "" || more && rest == "" {
		return Value{}, fmt.Errorf("the field %q has an empty name", whole)
	}
	if more {
		inside, exists := v.Member(name)
		if !exists {
			inside = Empty()
		}
		var err error
		if value, err = inside.withField(rest, value, whole); err != nil {
			return Value{}, err
		}
	}
	members := slices.Clone(v.members)
	for i := range members {
		if members[i].name == name {
			members[i].value = value
			return object(members), nil
		}
	}
	return object(append(members, member{name: name, value: value})), nil
}

// element returns the member of an object or the element of an array.
func (v Value) element(name string) (Value, bool) {
	if v.isObject || len(v.text) == 0 || v.text[0] != '[' {
		return v.Member(name)
	}
	var elements []json.RawMessage
	index, err := strconv.ParseUint(name, 10, 31)
	if err != nil || json.Unmarshal(v.text, &elements) != nil || index >= uint64(len(elements)) {
		return Value{}, false
	}
	found, err := Parse(elements[index])
	return found, err == nil
}

// quotePath returns a path in the syntax of Field, in quotes.
func quotePath(path []string) string {
	return strconv.Quote(strings.Join(path, "."))
}
