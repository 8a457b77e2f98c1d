package interchange

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

var lineOfYAML = regexp.MustCompile(`line (\d+)`)

// ReadYAML reads one YAML document. What JSON writes the same is the same: numbers, true and false, null. Anything else
// without quotes is a string as it stands, no, 0755, 0x1f and 2001-02-03 too. Aliases, tags but !!str and a name that is
// there twice are refused.
func ReadYAML(text []byte) (Value, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, second yaml.Node
	if err := decoder.Decode(&document); err != nil {
		return Value{}, yamlError(err)
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		if err != nil {
			return Value{}, yamlError(err)
		}
		return Value{}, fmt.Errorf("line %d: a second document begins here, and one is taken", second.Line)
	}
	if len(document.Content) == 0 {
		return Value{}, yamlError(io.EOF)
	}
	return fromNode(document.Content[0], 0)
}

// yamlError keeps the line of the library's sentence and nothing else, for it may quote the file.
func yamlError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("there is nothing in it")
	}
	if line := lineOfYAML.FindString(err.Error()); line != "" {
		return errors.New(line + ": this is not YAML")
	}
	return errors.New("this is not YAML")
}

func fromNode(node *yaml.Node, depth int) (Value, error) {
	if depth > maxDepth {
		return Value{}, fmt.Errorf("line %d: it is nested more than %d deep", node.Line, maxDepth)
	}
	if tagged(node) {
		return Value{}, fmt.Errorf("line %d: tags are not taken", node.Line)
	}
	switch node.Kind {
	case yaml.MappingNode:
		return fromMapping(node, depth)
	case yaml.SequenceNode:
		var out bytes.Buffer
		for i, each := range node.Content {
			value, err := fromNode(each, depth+1)
			if err != nil {
				return Value{}, err
			}
			out.WriteByte("[,"[min(i, 1)])
			out.Write(value.text)
		}
		if len(node.Content) == 0 {
			out.WriteByte('[')
		}
		out.WriteByte(']')
		return Value{text: out.Bytes()}, nil
	case yaml.ScalarNode:
		return fromScalar(node), nil
	}
	return Value{}, fmt.Errorf("line %d: aliases are not taken: write the value out", node.Line)
}

func fromMapping(node *yaml.Node, depth int) (Value, error) {
	members := make([]member, 0, len(node.Content)/2)
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		name := node.Content[i]
		switch {
		case tagged(name):
			return Value{}, fmt.Errorf("line %d: tags are not taken", name.Line)
		case name.Kind != yaml.ScalarNode:
			return Value{}, fmt.Errorf("line %d: a name must be plain text", name.Line)
		case name.Tag == "!!merge":
			return Value{}, fmt.Errorf("line %d: merging with << is not taken: write the values out", name.Line)
		case seen[name.Value]:
			return Value{}, fmt.Errorf("line %d: the name %q is there twice", name.Line, name.Value)
		}
		seen[name.Value] = true
		value, err := fromNode(node.Content[i+1], depth+1)
		if err != nil {
			return Value{}, err
		}
		members = append(members, member{name.Value, value})
	}
	return object(members), nil
}

// tagged reports whether somebody wrote a tag, which can say of any text that it is true or a number. "!!str" says what is
// the case anyway.
func tagged(node *yaml.Node) bool {
	return node.Style&yaml.TaggedStyle != 0 && (node.Kind != yaml.ScalarNode || node.ShortTag() != "!!str")
}

func fromScalar(node *yaml.Node) Value {
	switch tag := node.ShortTag(); {
	case tag == "!!null":
		return Value{text: json.RawMessage("null")}
	case tag == "!!bool":
		return Value{text: json.RawMessage(strings.ToLower(node.Value))}
	case node.Style == 0 && node.Value != "" && strings.Contains("-0123456789", node.Value[:1]) &&
		json.Valid([]byte(node.Value)):
		// also those too large for the library, which takes them for strings
		return Value{text: json.RawMessage(node.Value)}
	}
	return Text(node.Value)
}

// WriteYAML writes a value as YAML. All strings are in double quotes, so that no reader takes one for something else.
func WriteYAML(out io.Writer, value Value) error {
	node, err := toNode(value, 0)
	if err != nil {
		return err
	}
	return writeNode(out, node)
}

// writeNode writes all of it or, where it cannot be written, nothing.
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

// toNode takes no more depth than ReadYAML does. Each level of a list is parsed anew, which would take minutes with the
// depth that JSON may have.
func toNode(value Value, depth int) (*yaml.Node, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	if value.isObject {
		node := &yaml.Node{Kind: yaml.MappingNode}
		for _, each := range value.members {
			inside, err := toNode(each.value, depth+1)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, yamlName(each.name), inside)
		}
		if len(node.Content) == 0 {
			node.Style = yaml.FlowStyle
		}
		return node, nil
	}
	if text, is := value.String(); is {
		return yamlString(text), nil
	}
	if value.text[0] != '[' {
		return &yaml.Node{Kind: yaml.ScalarNode, Value: string(value.text)}, nil
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(value.text, &elements); err != nil {
		return nil, err
	}
	node := &yaml.Node{Kind: yaml.SequenceNode}
	for _, each := range elements {
		element, err := Parse(each)
		if err != nil {
			return nil, err
		}
		inside, err := toNode(element, depth+1)
		if err != nil {
			return nil, err
		}
		node.Content = append(node.Content, inside)
	}
	if len(elements) == 0 {
		node.Style = yaml.FlowStyle
	}
	return node, nil
}

func yamlString(text string) *yaml.Node {
	return &yaml.Node{
		Kind:  yaml.ScalarNode,
		Tag:   "!!str",
		Style: yaml.DoubleQuotedStyle,
		Value: text,
	}
}

// words that YAML 1.1 takes for something else than a name.
var yamlWords = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)

func yamlName(name string) *yaml.Node {
	node := yamlString(name)
	plain := name != "" && inName(rune(name[0]), false) && !strings.ContainsFunc(name, func(c rune) bool {
		return !inName(c, true) && c != '-' && c != '.'
	})
	if plain && !yamlWords.MatchString(name) {
		node.Style = 0
	}
	return node
}
