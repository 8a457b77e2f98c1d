package interchange

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each key of halfPairs is JSON in which a name contains half of a surrogate pair. Each value is the path by which
// errors must identify this name.
var halfPairs = map[string]string{
	`{"ok":1,"a\ud800":"x"}`:                      `"a\\ud800"`,
	`{"\uDFFF":null,"ok":1}`:                      `"\\uDFFF"`,
	`{"db":{"ok":1,"\ud83d\u0041":"x"}}`:          `"db.\\ud83d\\u0041"`,
	`{"a":{"b":{"\ude00\ud83d":{}}}}`:             `"a.b.\\ude00\\ud83d"`,
	"{ \n \"a\" : 1 , \"\\\\ufffd\\ud800\" : 2 }": `"\\\\ufffd\\ud800"`,
}

// TestHalfPairNames writes names with half of a surrogate pair. JSON must contain such a name unchanged. All other
// formats must return an error with the path of the field.
func TestHalfPairNames(t *testing.T) {
	t.Parallel()
	for text, path := range halfPairs {
		value, err := Parse([]byte(text))
		require.NoError(t, err, text)
		require.ErrorContains(t, value.CheckNames(), path, text)
		require.ErrorContains(t, value.CheckNames(), "half of a surrogate pair", text)
		for _, format := range []Format{YAML, Dotenv, Shell, Kubernetes, Docker, GitHub} {
			err := Write(io.Discard, format, value, Options{Secret: Secret{Name: "app"}})
			if format != YAML && (text == `{"a":{"b":{"\ude00\ud83d":{}}}}`) {
				require.ErrorContains(t, err, path, "%s: %s", format, text)
				continue
			}
			require.ErrorContains(t, err, path, "%s: %s", format, text)
		}
		_, err = value.Environment(Naming{Key: "app"})
		require.ErrorContains(t, err, path, text)
		_, found := value.Member("\ufffd")
		assert.False(t, found, text)
		assert.Equal(t, text, string(value.JSON()))
	}
}

// TestHalfPairWithField checks objects with a name that contains half of a surrogate pair. If such an object is on the
// path of the field, WithField must return an error. In other objects, WithField must accept such names.
func TestHalfPairWithField(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, field, want, path string }{
		{`{"a\ud800":1,"b":2}`, "b", "", `"a\\ud800"`},
		{`{"a\ud800":1}`, "new", "", `"a\\ud800"`},
		{`{"db":{"\ud800":1,"host":"h"}}`, "db.host", "", `"db.\\ud800"`},
		{`{"a":{"b":{"\udc00":1}}}`, "a.b.c", "", `"a.b.\\udc00"`},
		{`{"db":{"\ud800":1},"host":"h"}`, "host", `{"db":{"\ud800":1},"host":"x"}`, ""},
		{`{"s":"\ud800","host":"h"}`, "host", `{"s":"\ud800","host":"x"}`, ""},
		{`{"\ud83d\ude00":1,"host":"h"}`, "host", `{"😀":1,"host":"x"}`, ""},
	} {
		value, err := Parse([]byte(test.text))
		require.NoError(t, err)
		changed, err := value.WithField(test.field, Text("x"))
		if test.path != "" {
			require.ErrorContains(t, err, test.path, test.text)
			continue
		}
		require.NoError(t, err, test.text)
		assert.Equal(t, test.want, string(changed.JSON()))
	}
}

// TestHalfPairValues checks that WriteYAML refuses a string with half of a surrogate pair at any depth. The error must
// contain the path of the string.
func TestHalfPairValues(t *testing.T) {
	t.Parallel()
	for text, path := range map[string]string{
		`{"a":"x\ud800"}`:                 `"a"`,
		`{"a":{"b":["ok","\udc00"]}}`:     `"a.b.1"`,
		`{"a":[[{"c":"\\ufffd\ud800"}]]}`: `"a.0.0.c"`,
		`{"a":[{"\ud800":1}]}`:            `"a.0.\\ud800"`,
	} {
		value, err := Parse([]byte(text))
		require.NoError(t, err)
		require.ErrorContains(t, WriteYAML(io.Discard, value), path, text)
	}
}

// TestHalfPairsDiffer checks that Compare and Same distinguish different halves of surrogate pairs.
func TestHalfPairsDiffer(t *testing.T) {
	t.Parallel()
	parsed := func(text string) Value {
		value, err := Parse([]byte(text))
		require.NoError(t, err)
		return value
	}
	for _, pair := range [][2]string{
		{`{"a":"\ud800"}`, `{"a":"\ud801"}`},
		{`{"a":"\ud800"}`, `{"a":"\ufffd"}`},
		{`{"a":["\ud800"]}`, `{"a":["\udfff"]}`},
		{`{"\ud800":1}`, `{"\ud801":1}`},
		{`{"\ud800":1}`, `{"\ufffd":1}`},
	} {
		assert.False(t, Same(parsed(pair[0]), parsed(pair[1])), pair)
		assert.True(t, Same(parsed(pair[0]), parsed(pair[0])), pair)
	}
	both := parsed(`{"\ud800":1,"\ud801":2}`)
	assert.Len(t, both.Names(), 2)
}
