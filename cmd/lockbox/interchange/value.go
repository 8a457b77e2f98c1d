package interchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep objects may be in each other.
const maxDepth = 100

var errNotJSON = errors.New("this is not JSON")

// Value is a JSON value whose objects keep the order in which they were written, and whose numbers their digits.
type Value struct {
	text     json.RawMessage
	isObject bool
	members  []member
}

type member struct {
	name  string
	value Value
}

// Parse reads JSON. An object that holds a name twice is refused: its readers would not agree on which counts.
func Parse(text []byte) (Value, error) {
	if !utf8.Valid(text) {
		return Value{}, errors.New("it is not UTF-8 text")
	}
	if err := checkSyntax(text); err != nil {
		return Value{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	return parse(decoder, text, nil)
}

// checkSyntax says where JSON is broken, and not what is there.
func checkSyntax(text []byte) error {
	var whole json.RawMessage
	err := json.Unmarshal(text, &whole)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		end := min(max(int(syntax.Offset), 0), len(text))
		return fmt.Errorf("line %d: this is not JSON", 1+bytes.Count(text[:end], []byte("\n")))
	}
	return err
}

// parse reads the value that the decoder is at. What is not an object is taken as it stands.
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

func parseObject(decoder *json.Decoder, text []byte, path []string) (Value, error) {
	if len(path) >= maxDepth {
		return Value{}, fmt.Errorf("it is nested more than %d deep", maxDepth)
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
		inside := append(path[:len(path):len(path)], name)
		if seen[name] {
			return Value{}, fmt.Errorf("%s is there twice", quotePath(inside))
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

// Empty returns an object without names.
func Empty() Value { return object(nil) }

// quote writes a string as JSON, without the escapes that HTML would need.
func quote(text string) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string can always be written
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// object makes an object of its members.
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

// JSON returns the value as it was written.
func (v Value) JSON() json.RawMessage { return v.text }

// IsObject reports whether the value is an object, which alone has names in it.
func (v Value) IsObject() bool { return v.isObject }

// Names returns the names of an object, in its order; none for another value.
func (v Value) Names() []string {
	names := make([]string, len(v.members))
	for i, each := range v.members {
		names[i] = each.name
	}
	return names
}

// Member returns what an object holds under a name.
func (v Value) Member(name string) (Value, bool) {
	for _, each := range v.members {
		if each.name == name {
			return each.value, true
		}
	}
	return Value{}, false
}

// String returns the string that the value is, and whether it is one.
func (v Value) String() (string, bool) {
	if len(v.text) == 0 || v.text[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(v.text, &text)
	return text, err == nil
}

// Whole returns an error for a string that no text can hold: one with half of a surrogate pair, which JSON can write.
func (v Value) Whole() error {
	text, is := v.String()
	if is && strings.Count(text, "\ufffd") > strings.Count(strings.ToLower(string(v.text)), `\ufffd`)+
		strings.Count(string(v.text), "\ufffd") {
		return errors.New("it holds half of a surrogate pair, which is no character")
	}
	return nil
}

// Plain returns what a person means by the value: a string without quotes, and anything else as compact JSON.
func (v Value) Plain() string {
	if text, is := v.String(); is {
		return text
	}
	var out bytes.Buffer
	if err := json.Compact(&out, v.text); err != nil {
		return string(v.text)
	}
	return out.String()
}

// Field returns what is at a path of names joined with dots, as in db.password; in an array, a name is a number from 0. A
// name that holds dots itself is found as long as it is the last one.
func (v Value) Field(path string) (Value, error) {
	found, known := v.field(path)
	if !known {
		return Value{}, fmt.Errorf("there is no field %q", path)
	}
	return found, nil
}

func (v Value) field(path string) (Value, bool) {
	if found, known := v.element(path); known {
		return found, true
	}
	name, rest, more := strings.Cut(path, ".")
	if !more {
		return Value{}, false
	}
	inside, known := v.element(name)
	if !known {
		return Value{}, false
	}
	return inside.field(rest)
}

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

// quotePath shows where in an object something is, as Field is asked for it.
func quotePath(path []string) string {
	return strconv.Quote(strings.Join(path, "."))
}
