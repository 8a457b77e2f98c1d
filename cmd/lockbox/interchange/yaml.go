package interchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// yamlLine finds the line number in an error of the YAML library.
var yamlLine = regexp.MustCompile(`line (\d+)`)

// ReadYAML reads one YAML document. Unquoted numbers, true, false and null keep their type if they are also valid JSON.
// All other unquoted text becomes a string, for example "no", "0755", "0x1f" and "2001-02-03". YAML readers disagree on
// the types of these texts. Aliases, duplicate names and all tags except !!str are errors.
func ReadYAML(text []byte) (Value, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return Value{}, yamlError(err)
	}
	// The result can contain only the first document, so refuse a file with a second document.
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return Value{}, yamlError(err)
		}
		return Value{}, fmt.Errorf("line %d: a second document begins here; the file must contain only one",
			second.Line)
	}
	// If a file contains only comments, the YAML library returns a document without content.
	if len(document.Content) == 0 {
		return Value{}, yamlError(io.EOF)
	}
	return fromNode(document.Content[0], 0)
}

// yamlError keeps only the line number of the library's error, because the rest may quote the file.
func yamlError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the document is empty")
	}
	// Take the line number from the text of the error, because the library does not report the number in another way.
	if line := yamlLine.FindString(err.Error()); line != "" {
		return errors.New(line + ": invalid YAML")
	}
	return errors.New("invalid YAML")
}

// fromNode converts a YAML node to a value.
func fromNode(node *yaml.Node, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, fmt.Errorf("line %d: nested more than %d levels deep", node.Line, maxDepth)
	}
	if hasTag(node) {
		return Value{}, fmt.Errorf("line %d: tags are not supported", node.Line)
	}
	switch node.Kind {
	case yaml.MappingNode:
		return fromMapping(node, depth)
	case yaml.SequenceNode:
		return fromSequence(node, depth)
	case yaml.ScalarNode:
		return fromScalar(node), nil
	}
	return Value{}, fmt.Errorf("line %d: aliases are not supported: write the value out", node.Line)
}

// fromSequence converts a YAML sequence to an array.
func fromSequence(node *yaml.Node, depth int) (Value, error) {
	var out bytes.Buffer
	out.WriteByte('[')
	for i, each := range node.Content {
		value, err := fromNode(each, depth+1)
		if err != nil {
			return Value{}, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(value.text)
	}
	out.WriteByte(']')
	return Value{text: out.Bytes()}, nil
}

// fromMapping converts a YAML mapping to an object. All names become strings, including those that YAML reads as
// numbers or booleans.
func fromMapping(node *yaml.Node, depth int) (Value, error) {
	members := make([]member, 0, len(node.Content)/2)
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		switch {
		case hasTag(name):
			return Value{}, fmt.Errorf("line %d: tags are not supported", name.Line)
		case name.Kind != yaml.ScalarNode:
			return Value{}, fmt.Errorf("line %d: a name must be plain text, not a list or an object", name.Line)
		case name.Tag == "!!merge":
			return Value{}, fmt.Errorf("line %d: merge keys (<<) are not supported: write the values out", name.Line)
		case seen[name.Value]:
			return Value{}, fmt.Errorf("line %d: duplicate name %q", name.Line, name.Value)
		}
		seen[name.Value] = true
		value, err := fromNode(node.Content[i+1], depth+1)
		if err != nil {
			return Value{}, err
		}
		members = append(members, member{name: name.Value, value: value})
	}
	return object(members), nil
}

// hasTag reports whether a node has an explicit tag. It ignores the tag !!str on a scalar. Any other tag could declare
// a text to be a number or a boolean.
func hasTag(node *yaml.Node) bool {
	return node.Style&yaml.TaggedStyle != 0 && (node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str")
}

// fromScalar converts a YAML scalar to a value. An unquoted number, boolean or null keeps its type, and all other text
// becomes a string.
func fromScalar(node *yaml.Node) Value {
	// ShortTag returns the type that the library chose. For null and booleans, the library applies the rules of YAML
	// 1.2.
	switch tag := node.ShortTag(); {
	case tag == "!!null":
		return Value{text: json.RawMessage("null")}
	// JSON allows only the spellings true and false, but YAML also allows True and TRUE.
	case tag == "!!bool":
		return Value{text: json.RawMessage(strings.ToLower(node.Value))}
	case node.Style == 0 && node.Value != "" && strings.Contains("-0123456789", node.Value[:1]) &&
		json.Valid([]byte(node.Value)):
		// Check the text instead of the tag, because the library tags very large numbers as strings.
		return Value{text: json.RawMessage(node.Value)}
	}
	return Text(node.Value)
}

// WriteYAML writes a value as YAML. All strings are in double quotes. Without the quotes, a reader could interpret a
// string as a number or a boolean. On an error, WriteYAML writes nothing. If a name or a string contains half of a
// surrogate pair, WriteYAML returns an error that names the field.
func WriteYAML(out io.Writer, value Value) error {
	node, err := toNode(value, nil)
	if err != nil {
		return err
	}
	return writeNode(out, node)
}

// writeNode encodes a node completely before it writes the first byte. writeNode hides the library's error, which may
// quote values.
func writeNode(out io.Writer, node *yaml.Node) error {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := errors.Join(encoder.Encode(node), encoder.Close()); err != nil {
		return errors.New("this value cannot be written as YAML")
	}
	_, err := out.Write(text.Bytes())
	return err
}

// toNode converts the value at a path to a YAML node. It returns an error if the nesting is deeper than ReadYAML
// accepts. Without this limit, converting a deeply nested value would take minutes, because each level of a nested list
// is parsed again.
func toNode(value Value, path []string) (*yaml.Node, error) {
	if len(path) > maxDepth {
		return nil, fmt.Errorf("nested more than %d levels deep", maxDepth)
	}
	if value.isObject {
		return toMapping(value, path)
	}
	if text, isString := value.String(); isString {
		if err := value.checkTextAt(path); err != nil {
			return nil, err
		}
		return yamlString(text), nil
	}
	// The value is neither a string nor an object here. It is an array, a number, a boolean or null.
	if value.text[0] == '[' {
		return toSequence(value, path)
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: string(value.text)}, nil
}

// toMapping converts an object to a YAML mapping. It uses block style, or {} for an empty object.
func toMapping(value Value, path []string) (*yaml.Node, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, each := range value.members {
		if err := each.checkName(path); err != nil {
			return nil, err
		}
		inside, err := toNode(each.value, append(path[:len(path):len(path)], each.name))
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, yamlName(each.name), inside)
	}
	if len(node.Content) == 0 {
		node.Style = yaml.FlowStyle // {}
	}
	return node, nil
}

// toSequence converts an array to a YAML sequence. It uses block style, or [] for an empty array.
func toSequence(value Value, path []string) (*yaml.Node, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(value.text, &elements); err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.SequenceNode}
	for i, each := range elements {
		element, err := Parse(each)
		if err != nil {
			return nil, err
		}
		inside, err := toNode(element, append(path[:len(path):len(path)], strconv.Itoa(i)))
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, inside)
	}
	if len(elements) == 0 {
		node.Style = yaml.FlowStyle // []
	}
	return node, nil
}

// yamlString returns the node of a string in double quotes.
func yamlString(text string) *yaml.Node {
	return &yaml.Node{
		Kind:  yaml.ScalarNode,
		Tag:   "!!str",
		Style: yaml.DoubleQuotedStyle,
		Value: text,
	}
}

// yamlWords matches the words that YAML 1.1 readers do not treat as strings. A name that is one of these words needs
// quotes.
var yamlWords = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)

// yamlName returns the node of a name. It omits the quotes if every YAML reader treats the unquoted name as a string.
func yamlName(name string) *yaml.Node {
	// Accept only plain words, which most names are.
	node := yamlString(name)
	plain := name != "" && isNameRune(rune(name[0]), false) && !strings.ContainsFunc(name, func(c rune) bool {
		return !isNameRune(c, true) && c != '-' && c != '.'
	})
	if plain && !yamlWords.MatchString(name) {
		node.Style = 0
	}
	return node
}
