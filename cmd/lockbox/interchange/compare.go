package interchange

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// Changes are the fields that one value has otherwise than another, each as Field is asked for it, in the values' order.
type Changes struct {
	Added     []string `json:"added"`
	Changed   []string `json:"changed"`
	Removed   []string `json:"removed"`
	Unchanged []string `json:"unchanged"`
}

// None reports whether the values are the same.
func (c Changes) None() bool { return len(c.Added)+len(c.Changed)+len(c.Removed) == 0 }

// Compare says what becomes of the fields of an object when another takes its place. White space, and how strings are
// escaped, make no difference; the digits of a number do.
func Compare(before, after Value) Changes {
	changes := Changes{
		Added:     []string{},
		Changed:   []string{},
		Removed:   []string{},
		Unchanged: []string{},
	}
	was, is := leaves(before), leaves(after)
	for _, each := range is.names {
		old, known := was.text[each]
		switch {
		case !known:
			changes.Added = append(changes.Added, each)
		case old == is.text[each]:
			changes.Unchanged = append(changes.Unchanged, each)
		default:
			changes.Changed = append(changes.Changed, each)
		}
	}
	for _, each := range was.names {
		if _, stays := is.text[each]; !stays {
			changes.Removed = append(changes.Removed, each)
		}
	}
	return changes
}

// fields are the fields of a value that hold no further ones, by their paths.
type fields struct {
	names []string
	text  map[string]string
	bytes int // of the names, or less
}

// wholeValue is what a value that is not an object is called, which has no fields.
const wholeValue = "(the value)"

func leaves(value Value) fields {
	found := fields{text: map[string]string{}}
	found.collect(nil, value)
	return found
}

func (f *fields) collect(path []string, value Value) {
	if value.isObject && len(value.members) > 0 && f.mayName(path, value) {
		for _, each := range value.members {
			f.collect(append(path[:len(path):len(path)], each.name), each.value)
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
	if _, taken := f.text[name]; !taken {
		f.names = append(f.names, name)
	}
	// {"a.b":…} and {"a":{"b":…}} have one path: both count.
	f.text[name] += canonical(value.text) + "\n"
}

// mayName reports whether the fields of an object, each with the whole path in its name, come to a size that can be held; see
// maxVariableBytes. Where they do not, the object is one field: a change in it is told of the whole.
func (f *fields) mayName(path []string, object Value) bool {
	length := 1
	for _, name := range path {
		length += len(name) + 1
	}
	f.bytes += length * len(object.members)
	return f.bytes <= maxVariableBytes
}

// canonical writes a value without white space and with strings escaped in one way.
func canonical(text json.RawMessage) string {
	var out bytes.Buffer
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
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
			out.Write(quote(token))
		default:
			written, _ := json.Marshal(token) // true, false, null
			out.Write(written)
		}
		out.WriteByte(' ')
	}
}

// Merge returns an object with what two of them hold; where both have a field, that of onto gives way. Objects in both
// are merged likewise.
func Merge(onto, with Value) Value {
	members := slices.Clone(onto.members)
	at := make(map[string]int, len(members))
	for i, each := range members {
		at[each.name] = i
	}
	for _, each := range with.members {
		i, known := at[each.name]
		switch {
		case !known:
			members = append(members, each)
		case members[i].value.isObject && each.value.isObject:
			members[i].value = Merge(members[i].value, each.value)
		default:
			members[i].value = each.value
		}
	}
	return object(members)
}

// Same reports whether two values are the same, as Compare sees it.
func Same(one, other Value) bool { return canonicalIn(one) == canonicalIn(other) }

// canonicalIn writes a value with its fields sorted.
func canonicalIn(value Value) string {
	found := leaves(value)
	slices.Sort(found.names)
	var out strings.Builder
	for _, name := range found.names {
		out.WriteString(strconv.Quote(name) + " " + found.text[name])
	}
	return out.String()
}
