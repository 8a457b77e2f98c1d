package interchange

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Changes is the result of Compare. Its lists contain paths of fields, in the syntax of Value.Field. The paths in
// Removed are in the order of the old value. The paths in the other lists are in the order of the new value.
type Changes struct {
	Added     []string `json:"added"`
	Changed   []string `json:"changed"`
	Removed   []string `json:"removed"`
	Unchanged []string `json:"unchanged"`
}

// None reports whether the values are equal.
func (c Changes) None() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

// Compare returns the changes between an old and a new value. White space and the escapes in strings do not matter.
// Numbers are compared digit by digit, so 1.0 differs from 1.00.
func Compare(before, after Value) Changes {
	changes := Changes{
		Added:     []string{},
		Changed:   []string{},
		Removed:   []string{},
		Unchanged: []string{},
	}
	// An array is a single field here: if an element differs, the array as a whole counts as changed.
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
		// If a number replaces an object, for example, the fields of the object count as removed, and the number counts
		// as added.
		if _, exists := newLeaves.text[path]; !exists {
			changes.Removed = append(changes.Removed, path)
		}
	}
	return changes
}

// leaves holds the leaves of a value. A leaf is a field that contains no other fields; arrays are leaves. The path
// identifies a leaf.
type leaves struct {
	paths []string
	text  map[string]string // the canonical text of each leaf
	bytes int               // upper bound of the length of all paths
}

// A value that is not an object has no fields and therefore no path. wholeValue stands for its path.
const wholeValue = "(the value)"

// leavesOf returns the leaves of a value. The empty object has none.
func leavesOf(value Value) leaves {
	found := leaves{text: map[string]string{}}
	found.collect(nil, value)
	return found
}

// collect adds all leaves of a value, recursively. The argument path is the path of the value. An empty object inside
// another object is also a leaf, so that Compare reports when it is removed.
func (l *leaves) collect(path []string, value Value) {
	if value.isObject && len(value.members) > 0 && l.canExpand(path, value) {
		for _, each := range value.members {
			// All members of the object share the array of the slice path. The full slice expression makes append copy
			// it, so that no member overwrites the path of another one.
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
	// The path a.b can mean {"a.b":…} or {"a":{"b":…}}. If an object contains both fields, join their texts.
	l.text[name] += canonical(value.text) + "\n"
}

// canExpand limits the memory for paths; see maxVariableBytes. It returns false if the paths of an object's fields
// would exceed the limit. Compare then treats the whole object as one field.
func (l *leaves) canExpand(path []string, object Value) bool {
	length := 1
	for _, name := range path {
		length += len(name) + 1
	}
	l.bytes += length * len(object.members)
	return l.bytes <= maxVariableBytes
}

// canonical rewrites JSON so that equal values have equal texts. It writes a space after each token and no other white
// space, and it uses the same escapes for equal strings. A string with half of a surrogate pair keeps its original
// escapes.
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
			// Do not decode half of a surrogate pair: the decoder replaces each half with the same character.
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

// Merge returns an object with the fields of base and update. If both objects have a field, Merge takes its value from
// update. If both values are objects, Merge merges them recursively instead. The fields of base come first, in their
// order, followed by the fields that only update has. Merge does not change its arguments. Call Value.CheckNames for
// both before.
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

// Same reports whether two values have the same fields with the same values, in any order. It compares as Compare does.
func Same(one, other Value) bool { return sortedText(one) == sortedText(other) }

// sortedText returns the paths and texts of all leaves, sorted by path.
func sortedText(value Value) string {
	found := leavesOf(value)
	slices.Sort(found.paths)
	var out strings.Builder
	for _, path := range found.paths {
		out.WriteString(strconv.Quote(path) + " " + found.text[path])
	}
	return out.String()
}
