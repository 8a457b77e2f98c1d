package terminal

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// invisible contains characters that change the direction of text or have no shape.
var invisible = []string{
	"\u00ad", "\u034f", "\u061c", "\u115f", "\u1160", "\u17b4", "\u180e", "\u200b", "\u200c", "\u200d", "\u200e",
	"\u200f", "\u2028", "\u2029", "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2060", "\u2061", "\u2064",
	"\u2066", "\u2067", "\u2068", "\u2069", "\u2800", "\u3164", "\ufe00", "\ufeff", "\uffa0", "\ufff9",
	"\U000e0001", "\U000e0041", "\U000e007f", "\U000e0100", "\U0001d173",
}

// TestInvisibleCharactersAreEscaped verifies that each invisible character is escaped, and that visible text is
// unchanged. It also verifies that the escapes do not change the value of a JSON string.
func TestInvisibleCharactersAreEscaped(t *testing.T) {
	t.Parallel()
	for _, each := range invisible {
		for _, shown := range []string{printable("a" + each + "b"), printableLines("a" + each + "b")} {
			assert.NotContains(t, shown, each)
			assert.Regexp(t, `^a(\\u[0-9a-f]{4}){1,2}b$`, shown)
			var decoded string
			assert.NoError(t, json.Unmarshal([]byte(`"`+shown+`"`), &decoded))
			assert.Equal(t, "a"+each+"b", decoded)
		}
	}
	for _, text := range []string{"", "plain", "Grüße, мир, 你好, שלום, مرحبا", "❤️ 🔑", "a b", "x̂", `\u202e`} {
		assert.Equal(t, text, printable(text))
	}
	assert.Equal(t, "a\ufffdb\ufffd", printable("a\nb\t"))
	assert.Equal(t, "a\nb\t\ufffd\ufffd\ufffd", printableLines("a\nb\t\r\x1b\u009d"))
	assert.Equal(t, "lockbox: "+`a\u202e`+"\n", printed("a\u202e"))
}

// printed returns the output of PrintError for an error with the given text.
func printed(text string) string {
	var out strings.Builder
	PrintError(&out, &detailedError{error: assert.AnError, prefix: text, suffix: ""})
	return strings.Replace(out.String(), assert.AnError.Error(), "", 1)
}
