package interchange

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Changes lists the fields in which two values differ, as paths in the syntax of Value.Field. Added, Changed and
// Unchanged are in the order of the new value. Removed is in the order of the old value.
type Changes struct {
	Added     []string `json:"added"`
	Changed   []string `json:"changed"`
	Removed   []string `json:"removed"`
	Unchanged []string `json:"unchanged"`
}

// None reports whether the values are equal.
func (c Changes) None() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

// Compare returns the changes from one value to another. It ignores white space and the escaping of strings. It
// compares numbers by their digits, so 1.0 differs from 1.00.
func Compare(before, after Value) Changes {
	changes := Changes{
		Added:     []string{},
		Changed:   []string{},
		Removed:   []string{},
		Unchanged: []string{},
	}
	// Arrays are leaves: a change of one element changes the whole array.
	oldLeaves, newLeaves := leavesOf(before), leavesOf(after)
	for _, path := range newLeaves.paths {
		old, exists := oldLeaves.text[path]
		switch {
		case !exists:
			changes.Added = append(changes.Added, path)
		case old == newLeaves.text[path]:
			changes.Unchanged = append(changes.Unchanged, path)
		default:
			changes.Changed = append(changes.Changed, path)
		}
	}
	for _, path := range oldLeaves.paths {
		// If a single value replaces an object, the fields of the object count as removed and the value counts as
		// added.
		if _, exists := newLeaves.text[path]; !exists {
			changes.Removed = append(changes.Removed, path)
		}
	}
	return changes
}

// leaves holds the leaves of a value: the fields that contain no other fields. Each leaf is identified by its path.
type leaves struct {
	paths []string
	text  map[string]string // the canonical text of each leaf
	bytes int               // upper bound of the length of all paths
}

// wholeValue replaces the path if a value is not an object, because such a value has no fields.
const wholeValue = "(the value)"

// leavesOf returns the leaves of a value. The empty object has none.
func leavesOf(value Value) leaves {
	found := leaves{text: map[string]string{}}
	found.collect(nil, value)
	return found
}

// collect adds the leaves of the value at a path, recursively. An empty object inside another object counts as a leaf.
// Otherwise Compare would not report its removal.
func (l *leaves) collect(path []string, value Value) {
	if value.isObject && len(value.members) > 0 && l.canExpand(path, value) {
		for _, each := range value.members {
			// The full slice expression forces append to copy, because siblings share the path.
			l.collect(append(path[:len(path):len(path)], each.label()), each.value)
		}
		return
	}
	if len(path) == 0 && value.isObject {
		return
	}
	name := strings.Join(path, ".")
	if len(path) == 0 {
		name = wholeValue
	}
	if _, exists := l.text[name]; !exists {
		l.paths = append(l.paths, name)
	}
	// {"a.b":…} and {"a":{"b":…}} have the same path, a.b. If an object contains both fields, the text of the path
	// contains both values.
	l.text[name] += canonical(value.text) + "\n"
}

// canExpand reports whether the paths of all fields of an object are small enough to keep in memory; see
// maxVariableBytes. If they are not, the whole object is treated as one field.
func (l *leaves) canExpand(path []string, object Value) bool {
	length := 1
	for _, name := range path {
		length += len(name) + 1
	}
	l.bytes += length * len(object.members)
	return l.bytes <= maxVariableBytes
}

// canonical returns JSON as a sequence of tokens. Equal strings look the same in the result, even if their escapes
// differ in the original. Only a string with half of a surrogate pair keeps its escapes.
func canonical(text json.RawMessage) string {
	var out bytes.Buffer
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		before := decoder.InputOffset()
		token, err := decoder.Token()
		if err != nil {
			return out.String()
		}
		switch token := token.(type) {
		case json.Delim:
			out.WriteString(token.String())
		case json.Number:
			out.WriteString(token.String())
		case string:
			// Do not decode a string with half of a surrogate pair: decoding would make different halves equal.
			if raw := text[before:decoder.InputOffset()]; hasHalfPair(raw) {
				out.Write(bytes.TrimLeft(raw, ",: \t\r\n"))
			} else {
				out.Write(quote(token))
			}
		default:
			literal, _ := json.Marshal(token) // true, false or null
			out.Write(literal)
		}
		out.WriteByte(' ')
	}
}

// Merge returns an object with the fields of both objects. For a field that both objects have, it takes the value from
// update; if both values are objects, it merges them recursively. Fields of base keep their positions, and new fields
// follow. Merge does not change its arguments. The names in both objects must pass Value.CheckNames.
func Merge(base, update Value) Value {
	members := slices.Clone(base.members)
	index := make(map[string]int, len(members))
	for i, each := range members {
		index[each.name] = i
	}
	for _, each := range update.members {
		i, exists := index[each.name]
		switch {
		case !exists:
			members = append(members, each)
		case members[i].value.isObject && each.value.isObject:
			members[i].value = Merge(members[i].value, each.value)
		default:
			members[i].value = each.value
		}
	}
	return object(members)
}

// Same reports whether two values are equal in the sense of Compare. The order of fields does not matter.
func Same(one, other Value) bool { return sortedText(one) == sortedText(other) }

// sortedText returns the leaves of a value in the order of their paths.
func sortedText(value Value) string {
	found := leavesOf(value)
	slices.Sort(found.paths)
	var out strings.Builder
	for _, path := range found.paths {
		out.WriteString(strconv.Quote(path) + " " + found.text[path])
	}
	return out.String()
}
