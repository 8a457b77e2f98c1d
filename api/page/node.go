package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a place in the description, in the order in which it was written: that of requests and of fields in examples is
// part of what it says. The zero node is a place that is not there.
type node struct {
	yaml *yaml.Node
	root *yaml.Node
}

func parse(text []byte) (node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return node{}, err
	}
	if len(document.Content) != 1 {
		return node{}, fmt.Errorf("the description is empty")
	}
	return node{document.Content[0], document.Content[0]}, nil
}

func (n node) exists() bool { return n.yaml != nil }

// at follows a path of names; references on the way are followed too.
func (n node) at(path ...string) node {
	n = n.resolved()
	for _, name := range path {
		found := node{root: n.root}
		for key, value := range n.pairs() {
			if key == name {
				found = value.resolved()
			}
		}
		n = found
	}
	return n
}

// reference returns the last name of what the node refers to; empty when it is no reference.
func (n node) reference() string {
	if n.yaml == nil || n.yaml.Kind != yaml.MappingNode || len(n.yaml.Content) != 2 ||
		n.yaml.Content[0].Value != "$ref" {
		return ""
	}
	return n.yaml.Content[1].Value[strings.LastIndex(n.yaml.Content[1].Value, "/")+1:]
}

func (n node) resolved() node {
	if n.reference() == "" {
		return n
	}
	to := strings.Split(strings.TrimPrefix(n.yaml.Content[1].Value, "#/"), "/")
	return node{n.root, n.root}.at(to...)
}

// pairs yields the names and values of a mapping. Values are as they stand: a reference is one.
func (n node) pairs() iter.Seq2[string, node] {
	return func(yield func(string, node) bool) {
		if n.yaml == nil || n.yaml.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.yaml.Content); i += 2 {
			if !yield(n.yaml.Content[i].Value, node{n.yaml.Content[i+1], n.root}) {
				return
			}
		}
	}
}

// items returns the elements of a list.
func (n node) items() []node {
	if n.yaml == nil || n.yaml.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]node, len(n.yaml.Content))
	for i, item := range n.yaml.Content {
		items[i] = node{item, n.root}
	}
	return items
}

// text returns a scalar.
func (n node) text() string {
	if n.yaml == nil || n.yaml.Kind != yaml.ScalarNode {
		return ""
	}
	return n.yaml.Value
}

func (n node) isTrue() bool { return n.text() == "true" }

// words returns the scalars of a list.
func (n node) words() []string {
	var words []string
	for _, item := range n.items() {
		words = append(words, item.text())
	}
	return words
}

// json writes the value as JSON, in the order in which it stands: on one line.
func (n node) json() string {
	if n.yaml == nil {
		return ""
	}
	var parts []string
	switch n.yaml.Kind {
	case yaml.MappingNode:
		for name, value := range n.pairs() {
			parts = append(parts, quote(name)+":"+value.json())
		}
		return "{" + strings.Join(parts, ",") + "}"
	case yaml.SequenceNode:
		for _, item := range n.items() {
			parts = append(parts, item.json())
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	if n.yaml.Tag == "!!str" || n.yaml.Tag == "!!timestamp" {
		return quote(n.yaml.Value)
	}
	return n.yaml.Value
}

// indented is json over several lines.
func (n node) indented() string {
	var text bytes.Buffer
	if json.Indent(&text, []byte(n.json()), "", "  ") != nil {
		return n.json()
	}
	return text.String()
}

func quote(text string) string {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // of a string, into memory
	return strings.TrimSuffix(quoted.String(), "\n")
}
