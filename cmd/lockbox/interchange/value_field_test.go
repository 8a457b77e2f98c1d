package interchange

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestWithField checks that WithField changes the right field. The other fields and the order of all fields must stay
// the same.
func TestWithField(t *testing.T) {
	t.Parallel()
	before := parsed(t, `{"a":{"b":1,"c":1.50},"d.e":2,"f":[1],"g":null}`)
	for path, want := range map[string]string{
		"a":     `{"a":"x","d.e":2,"f":[1],"g":null}`,
		"a.b":   `{"a":{"b":"x","c":1.50},"d.e":2,"f":[1],"g":null}`,
		"a.n.m": `{"a":{"b":1,"c":1.50,"n":{"m":"x"}},"d.e":2,"f":[1],"g":null}`,
		"d.e":   `{"a":{"b":1,"c":1.50},"d.e":"x","f":[1],"g":null}`,
		"f":     `{"a":{"b":1,"c":1.50},"d.e":2,"f":"x","g":null}`,
		"h":     `{"a":{"b":1,"c":1.50},"d.e":2,"f":[1],"g":null,"h":"x"}`,
	} {
		after, err := before.WithField(path, Text("x"))
		assert.NoError(t, err, path)
		assert.Equal(t, want, string(after.JSON()), path)
		found, err := after.Field(path)
		assert.NoError(t, err, path)
		assert.Equal(t, `"x"`, string(found.JSON()), path)
	}
	for _, path := range []string{"", ".", "a.", ".a", "a..b", "f.0", "g.h", "a.b.c"} {
		_, err := before.WithField(path, Text("x"))
		assert.Error(t, err, path)
	}
	assert.Equal(t, `{"a":{"b":1,"c":1.50},"d.e":2,"f":[1],"g":null}`, string(before.JSON()), "unchanged")
}
