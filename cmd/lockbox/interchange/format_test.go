package interchange

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestIndented checks the layout, and that deeply nested JSON is not indented.
func TestIndented(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"a"`:                  "\"a\"\n",
		` {"a":[1, {}],"b":2}`: "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": 2\n}\n",
		// Brackets inside a string do not count as nesting.
		`["` + strings.Repeat(`[\"{`, 200) + `"]`:           "[\n  \"" + strings.Repeat(`[\"{`, 200) + "\"\n]\n",
		strings.Repeat("[", 101) + strings.Repeat("]", 101): strings.Repeat("[", 101) + strings.Repeat("]", 101) + "\n",
	} {
		got, err := Indented([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
	}
	_, err := Indented([]byte("{"))
	require.Error(t, err)

	// Indentation would turn this half megabyte into gigabytes.
	deep := strings.Repeat("[", 9000) + strings.Repeat("1,", 250_000) + "1" + strings.Repeat("]", 9000)
	got, err := Indented([]byte(deep))
	require.NoError(t, err)
	assert.Len(t, got, len(deep)+1)
}
