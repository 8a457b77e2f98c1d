package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a node of the YAML document. Unlike a Go map, it keeps the order of the keys. The page uses the same order.
// The zero node stands for a missing node. All methods accept the zero node.
type node struct {
	yaml *yaml.Node
	root *yaml.Node
}

// parse returns the root node of a YAML document.
func parse(text []byte) (node, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return node{}, err
	}
	if len(document.Content) != 1 {
		return node{}, errors.New("the description is empty")
	}
	return node{document.Content[0], document.Content[0]}, nil
}

func (n node) exists() bool { return n.yaml != nil }

// at returns the node at a path of keys, and resolves references on the way. If a key is missing, at returns the zero
// node.
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

// reference returns the last element of the node's $ref, or "" if the node is no reference.
func (n node) reference() string {
	if n.yaml == nil || n.yaml.Kind != yaml.MappingNode || len(n.yaml.Content) != 2 ||
		n.yaml.Content[0].Value != "$ref" {
		return ""
	}
	return n.yaml.Content[1].Value[strings.LastIndex(n.yaml.Content[1].Value, "/")+1:]
}

// resolved returns the target of the node if the node is a reference. Otherwise it returns the node itself.
func (n node) resolved() node {
	if n.reference() == "" {
		return n
	}
	to := strings.Split(strings.TrimPrefix(n.yaml.Content[1].Value, "#/"), "/")
	return node{n.root, n.root}.at(to...)
}

// pairs iterates over the keys and values of a mapping. It does not resolve references.
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

// items returns the elements of a sequence.
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

// text returns the value of a scalar, or "" for any other node.
func (n node) text() string {
	if n.yaml == nil || n.yaml.Kind != yaml.ScalarNode {
		return ""
	}
	return n.yaml.Value
}

func (n node) isTrue() bool { return n.text() == "true" }

// words returns the scalars of a sequence.
func (n node) words() []string {
	var words []string
	for _, item := range n.items() {
		words = append(words, item.text())
	}
	return words
}

// json encodes the node as JSON on one line, with keys in the order of the document.
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

// indented returns json with indentation.
func (n node) indented() string {
	var text bytes.Buffer
	if json.Indent(&text, []byte(n.json()), "", "  ") != nil {
		return n.json()
	}
	return text.String()
}

// quote encodes a JSON string. It does not escape HTML characters, because the escapes would be hard to read in
// examples.
func quote(text string) string {
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // cannot fail for a string
	return strings.TrimSuffix(quoted.String(), "\n")
}
