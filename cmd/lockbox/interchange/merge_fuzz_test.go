package interchange

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzMerge verifies the laws of Merge for all pairs of objects. The result has the names of both objects, and the
// second object takes precedence. Merging the second object again changes nothing. Merging an object with an empty
// object or with itself returns an equal object.
func FuzzMerge(f *testing.F) {
	for _, pair := range [][2]string{
		{`{}`, `{}`}, {`{"a":1}`, `{"a":2,"b":3}`}, {`{"a":{"b":1,"c":2}}`, `{"a":{"b":{"d":null}}}`},
		{`{"a":{"b":1}}`, `{"a":7}`}, {`{"a":7}`, `{"a":{"b":1}}`}, {`{"a":[1,{"b":2}]}`, `{"a":[{"b":3}]}`},
		{`{"":{"":1}}`, `{"":{"":{}}}`}, {`{"a.b":1,"a":{"b":2}}`, `{"a.b":3}`},
		{`{"a":1e400}`, `{"a":12345678901234567890}`},
		{`{"\u00e9":1}`, `{"é":2}`}, {`{"a":"\ud800"}`, `{"a":"\udfff"}`}, {`{"a":{}}`, `{"a":null}`},
	} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, baseText, updateText string) {
		base, err := Parse([]byte(baseText))
		update, updateErr := Parse([]byte(updateText))
		if err != nil || updateErr != nil || !base.IsObject() || !update.IsObject() {
			return
		}
		merged := Merge(base, update)
		again, err := Parse(merged.JSON())
		require.NoError(t, err, "the result is JSON: %s", merged.JSON())
		require.True(t, Same(merged, again))
		requireMerged(t, base, update, merged)
		require.True(t, Same(merged, Merge(merged, update)), "%s", merged.JSON())
		require.True(t, Same(base, Merge(base, base)))
		require.True(t, Same(base, Merge(base, Empty())))
		require.True(t, Same(update, Merge(Empty(), update)))
		require.True(t, Compare(merged, again).None())
	})
}

// requireMerged checks the names of merged and, recursively, their values.
func requireMerged(t *testing.T, base, update, merged Value) {
	t.Helper()
	require.Equal(t, base.Names(), merged.Names()[:len(base.Names())], "fields of base keep their positions")
	for _, name := range merged.Names() {
		got, _ := merged.Member(name)
		old, inBase := base.Member(name)
		changed, inUpdate := update.Member(name)
		switch {
		case inBase && inUpdate && old.IsObject() && changed.IsObject():
			requireMerged(t, old, changed, got)
		case inUpdate:
			require.True(t, Same(changed, got), name)
		default:
			require.True(t, inBase, name)
			require.True(t, Same(old, got), name)
		}
	}
	for _, name := range update.Names() {
		require.Contains(t, merged.Names(), name)
	}
}
