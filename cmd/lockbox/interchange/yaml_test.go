package interchange

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestReadYAML checks which unquoted texts keep their type and which become strings.
func TestReadYAML(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: 1\nb: 1.50\nc: true\nd: null\ne: ~\nf:\n": `{"a":1,"b":1.50,"c":true,"d":null,"e":null,"f":null}`,
		"a: no\nb: on\nc: y\nd: 2001-02-03\ne: 0755\nf: 0x1f": `{"a":"no","b":"on","c":"y","d":"2001-02-03",` +
			`"e":"0755","f":"0x1f"}`,
		"a: 1_000\nb: .inf\nc: +1\nd: 12:30:45\ne: 1e3": `{"a":"1_000","b":".inf","c":"+1","d":"12:30:45",` +
			`"e":1e3}`,
		"a: 12345678901234567890123\nb: 1E400":    `{"a":12345678901234567890123,"b":1E400}`,
		"a: '1'\nb: \"true\"\nc: !!str 5":         `{"a":"1","b":"true","c":"5"}`,
		"a:\n  b:\n    - c\n    - d: 1\n    - []": `{"a":{"b":["c",{"d":1},[]]}}`,
		"a: |\n  x\n  y\nb: >-\n  x\n  y":         `{"a":"x\ny\n","b":"x y"}`,
		"---\n# comment\n1: x\ntrue: y\n...\n":    `{"1":"x","true":"y"}`,
		`{"a": {"b": "json is yaml \u00e9"}}`:     `{"a":{"b":"json is yaml é"}}`,
		"\ufeffa: x":                              `{"a":"x"}`,
	} {
		value, err := ReadYAML([]byte(text))
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, string(value.JSON()), text)
		}
	}
}

// TestYAMLErrors checks that errors contain the line number but no text from the line.
func TestYAMLErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                           "the document is empty",
		"# only this\n":              "the document is empty",
		"a: 1\nb: 'hunter2":          "line 2: invalid YAML",
		"a: *hunter2":                "invalid YAML",
		"a: &x hunter2\nb: *x":       "line 2: aliases are not supported: write the value out",
		"a: &x {c: 1}\nb:\n  <<: *x": "line 3: merge keys (<<) are not supported: write the values out",
		"a: !custom hunter2":         "line 1: tags are not supported",
		"a: !custom [hunter2]":       "line 1: tags are not supported",
		"!custom a: hunter2":         "line 1: tags are not supported",
		// ReadYAML copies a boolean into the JSON without quotes. If ReadYAML treated this text as a boolean, the text
		// would add the name "admin" to the object.
		`a: !!bool '1, "admin": true'`: "line 1: tags are not supported",
		"a: 1\na: hunter2":             `line 2: duplicate name "a"`,
		"? [hunter2]\n: x":             "line 1: a name must be plain text, not a list or an object",
		"a: 1\n---\nb: hunter2":        "line 2: a second document begins here; the file must contain only one",
		strings.Repeat("[", 150):       "line 1: invalid YAML",
		"a: " + strings.Repeat("[", 150) + strings.Repeat("]", 150): "line 1: nested more than 100 levels deep",
		"a: hunter2\x00": "invalid YAML",
	} {
		_, err := ReadYAML([]byte(text))
		if assert.Error(t, err, text) {
			assert.Equal(t, want, err.Error(), text)
		}
	}
}

// TestWriteYAML checks the layout and the quoting.
func TestWriteYAML(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, WriteYAML(&out,
		parsed(t, `{"no":"no","db":{"port":5432,"big":12345678901234567890,"f":1E400,"on":true,"x":null},`+
			`"a b":[1,"2",{"c":[]}],"e":{},"m":"1\n2"}`)))
	assert.Equal(t, `"no": "no"
db:
  port: 5432
  big: 12345678901234567890
  f: 1E400
  "on": true
  x: null
"a b":
  - 1
  - "2"
  - c: []
e: {}
m: "1\n2"
`, out.String())
}

// TestWriteYAMLDepth checks that WriteYAML refuses a value that is nested too deeply.
func TestWriteYAMLDepth(t *testing.T) {
	t.Parallel()
	deep := func(levels int) Value {
		return parsed(t, strings.Repeat("[", levels)+strings.Repeat("]", levels))
	}
	var out bytes.Buffer
	require.NoError(t, WriteYAML(&out, deep(100)))
	out.Reset()
	require.EqualError(t, WriteYAML(&out, deep(9000)), "nested more than 100 levels deep")
	require.Empty(t, out.String())
}

// FuzzYAML reads a value from arbitrary text and writes it. It checks that ReadYAML returns the same value from the new
// text.
func FuzzYAML(f *testing.F) {
	for _, each := range []string{"a: 1", "a: no\nb: [x, {y: z}]", "{\"a\": \"\\u2028\"}", "a: |\n  x\n", "? a\n: b",
		"a: !!bool x"} {
		f.Add([]byte(each))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := ReadYAML(text)
		if err != nil {
			return
		}
		if _, err := Parse(value.JSON()); err != nil {
			t.Fatalf("the value is not valid JSON: %v", err)
		}
		var out bytes.Buffer
		if err := WriteYAML(&out, value); err != nil {
			t.Fatal(err)
		}
		back, err := ReadYAML(out.Bytes())
		if err != nil {
			t.Fatalf("the output cannot be read: %v\n%s", err, out.String())
		}
		if !bytes.Equal(back.JSON(), value.JSON()) {
			t.Fatalf("got %s, want %s", back.JSON(), value.JSON())
		}
	})
}
