package interchange

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzMerge merges arbitrary pairs of objects. The result must have the names of both objects, and the values of the
// second object must take precedence. Merging the second object into the result again must change nothing. An object
// must not change if it is merged with an empty object or with itself.
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

// requireMerged checks that merged has the right names and values. It checks nested objects too.
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
