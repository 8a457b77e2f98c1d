package prompt

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestKeys checks the text that a sequence of keys produces. It writes each sequence twice: as a whole, and byte by
// byte.
func TestKeys(t *testing.T) {
	t.Parallel()
	for input, want := range map[string]string{
		"secret\r":                              "secret",
		"secret\n":                              "secret",
		"\r":                                    "",
		"two words\t\r":                         "two words\t",
		"secrex\x7ft\r":                         "secret",
		"é\x7fe\b\x7f\x7f\r":                    "",
		"one two\x17six\r":                      "one six",
		"wrong\x15right\r":                      "right",
		"half\x04":                              "half",     // Ctrl-D ends a line, as in a shell
		"se\x1b[Dcr\x1b[1;5Cet\x1bOP\x1b\r":     "secretOP", // cursor keys, F1, Escape
		beginPaste + "secret" + endPaste + "\r": "secret",
		beginPaste + "secret\r" + endPaste + "\r":                   "secret",
		"a" + beginPaste + "b\r\nc\rd\n" + endPaste + "e\r":         "ab\nc\nd\ne",
		beginPaste + "a\x1b[0mb\x7f\x15" + endPaste + "\r":          "a\x1b[0mb\x7f\x15",
		beginPaste + "-----BEGIN\rAA\r-----END\r" + endPaste + "\r": "-----BEGIN\nAA\n-----END\n",
		"secret\r\r\n": "secret", // Enter, pressed twice
	} {
		var whole, parts keys
		whole.write([]byte(input))
		for i := range len(input) {
			parts.write([]byte{input[i]})
		}
		for _, typed := range []*keys{&whole, &parts} {
			require.True(t, typed.done, "%q", input)
			got, err := typed.result([]byte("\r"))
			assert.NoError(t, err, "%q", input)
			assert.Equal(t, want, got, "%q", input)
		}
	}
}

// TestKeysRefused checks that the method result returns an error for several lines, for Ctrl-D on an empty line, and
// for text that is too long.
func TestKeysRefused(t *testing.T) {
	t.Parallel()
	for input, rest := range map[string]string{
		"secret\rtouch owned\r": "", "secret\n": "touch owned\n", "secret\rx": "",
		beginPaste + "secret" + endPaste + "\r": "touch owned", "\x04": "\x03x",
	} {
		var typed keys
		typed.write([]byte(input))
		_, err := typed.result([]byte(rest))
		assert.ErrorIs(t, err, ErrSeveralLines, "%q", input)
	}
	var typed keys
	typed.write([]byte("\x04"))
	_, err := typed.result(nil)
	require.EqualError(t, err, "EOF")
	typed = keys{}
	for range 100 {
		typed.write([]byte(strings.Repeat("x", maxHidden/50)))
	}
	typed.write([]byte("\r"))
	_, err = typed.result(nil)
	require.ErrorContains(t, err, "longer than 1 MiB")
	require.Len(t, typed.text, maxHidden+1)
}
