package interchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth is the maximum depth of nesting that is accepted. Recursive functions of this package rely on it.
const maxDepth = 100

// errNotJSON cannot occur after a successful checkSyntax. It replaces errors of the decoder, which could quote the
// input.
var errNotJSON = errors.New("invalid JSON")

// Value is a JSON value. Unlike the types of encoding/json, it keeps the order of the names of an object and the
// digits of a number. The zero Value is not valid JSON. Values are immutable and safe for concurrent use.
type Value struct {
	// The original text, without surrounding white space.
	text     json.RawMessage
	isObject bool
	// Set for objects only.
	members []member
}

// member is a name of an object with its value.
type member struct {
	name  string
	value Value
}

// Parse reads one JSON value. A duplicate name in an object is an error, because programs disagree on which value wins.
// Errors contain line numbers and names but no values.
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

// checkSyntax returns the line of a syntax error. It replaces the decoder's message, which quotes the input.
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

// parse reads the next value of the decoder. It parses only objects into members; every other value is a slice of text.
// Errors contain path.
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

// parseObject reads the members of an object. The decoder is after the opening brace.
func parseObject(decoder *json.Decoder, text []byte, path []string) (Value, error) {
	if len(path) >= maxDepth {
		return Value{}, fmt.Errorf("nested more than %d levels deep", maxDepth)
	}
	start := int(decoder.InputOffset()) - 1
	object := Value{isObject: true}
	seen := map[string]bool{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return Value{}, errNotJSON
		}
		name, _ := token.(string)
		// The full slice expression forces append to copy, because siblings share the path.
		inside := append(path[:len(path):len(path)], name)
		if seen[name] {
			return Value{}, fmt.Errorf("duplicate name %s", quotePath(inside))
		}
		seen[name] = true
		value, err := parse(decoder, text, inside)
		if err != nil {
			return Value{}, err
		}
		object.members = append(object.members, member{name, value})
	}
	if _, err := decoder.Token(); err != nil {
		return Value{}, errNotJSON
	}
	object.text = text[start:decoder.InputOffset()]
	return object, nil
}

// parseArray skips to the end of an array. Duplicate names inside an array are not detected here.
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

// Raw returns valid JSON as a value without parsing it. IsObject is false for the value and it has no names, although
// the JSON may be an object.
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

// object returns the object with these members, which must have different names.
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

// Names returns the names of an object in their order. It returns none for other values.
func (v Value) Names() []string {
	names := make([]string, len(v.members))
	for i, each := range v.members {
		names[i] = each.name
	}
	return names
}

// Member returns the value of a name in an object, and whether the name exists.
func (v Value) Member(name string) (Value, bool) {
	for _, each := range v.members {
		if each.name == name {
			return each.value, true
		}
	}
	return Value{}, false
}

// String returns the contents of a string, and whether the value is a string.
func (v Value) String() (string, bool) {
	if len(v.text) == 0 || v.text[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(v.text, &text)
	return text, err == nil
}

// CheckText returns an error if the value is a string with half of a surrogate pair. JSON can express such a string
// with an escape, but UTF-8 text cannot contain it, and encoding/json silently replaces the half by U+FFFD. The
// check compares the number of U+FFFD before and after decoding.
func (v Value) CheckText() error {
	text, isString := v.String()
	if isString && strings.Count(text, "\ufffd") > strings.Count(strings.ToLower(string(v.text)), `\ufffd`)+
		strings.Count(string(v.text), "\ufffd") {
		return errors.New("contains half of a surrogate pair, which is not a character")
	}
	return nil
}

// Plain returns a string without quotes, and any other value as compact JSON.
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

// Field returns the value at a path of names joined with dots, such as db.password. In an array, a name is an index
// from 0. A name that contains dots can only be the last part of a path.
func (v Value) Field(path string) (Value, error) {
	found, exists := v.field(path)
	if !exists {
		return Value{}, fmt.Errorf("the field %q does not exist", path)
	}
	return found, nil
}

// field looks for the whole path as one name first, and then for its first part. A name with dots can therefore only be
// the end of a path.
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

// WithField returns an object with another value at a path in the syntax of Field. Objects on the path that do not
// exist are created. Elements of an array cannot be changed: a parent that is not an object is an error.
func (v Value) WithField(path string, value Value) (Value, error) {
	return v.withField(path, value, path)
}

// withField implements WithField for the rest of a path. whole is the complete path, for errors.
func (v Value) withField(path string, value Value, whole string) (Value, error) {
	if !v.isObject {
		return Value{}, fmt.Errorf("the field %q cannot be set: its parent is not an object", whole)
	}
	name, rest, more := strings.Cut(path, ".")
	// As in field, a name with dots can only be the end of a path.
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
	return object(append(members, member{name, value})), nil
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
