package sealing

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseSecret(t *testing.T) {
	t.Parallel()
	raw := []byte("\xfb\xff\xfe 32 bytes and a few more of them")
	for name, text := range map[string]string{
		"standard":           base64.StdEncoding.EncodeToString(raw),
		"standard, unpadded": base64.RawStdEncoding.EncodeToString(raw),
		"url":                base64.URLEncoding.EncodeToString(raw),
		"url, unpadded":      base64.RawURLEncoding.EncodeToString(raw),
		"hexadecimal":        hex.EncodeToString(raw),
		"upper case":         strings.ToUpper(hex.EncodeToString(raw)),
	} {
		secret, err := ParseSecret(text)
		require.NoError(t, err, name)
		require.Equal(t, raw, secret.Bytes(), name)
		require.Equal(t, "[secret] [secret] [secret]", fmt.Sprintf("%v %+v %#v", secret, secret, secret))
	}
}

func TestParseSecretRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":       "",
		"short":       base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 31)),
		"short hex":   strings.Repeat("ab", 31),
		"padding":     "====",
		"neither":     "Passw0rd!" + strings.Repeat("#~|", 20),
		"white space": strings.Repeat("ab", 32) + "\n" + strings.Repeat("cd", 32),
		"one off":     strings.Repeat("a", 65),
	} {
		secret, err := ParseSecret(text)
		require.Error(t, err, name)
		require.True(t, secret.IsZero(), name)
		for i := 0; i+6 <= len(text); i++ {
			require.NotContains(t, err.Error(), text[i:i+6], name)
		}
	}
}

func TestGenerateSecret(t *testing.T) {
	t.Parallel()
	text := GenerateSecret(rand.Reader)
	require.Len(t, text, 43)
	secret, err := ParseSecret(text)
	require.NoError(t, err)
	require.Len(t, secret.Bytes(), 32)
	require.NotEqual(t, text, GenerateSecret(rand.Reader))
	require.Panics(t, func() { GenerateSecret(strings.NewReader("too little")) })
}

func FuzzParseSecret(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("ab", 32))
	f.Add(base64.URLEncoding.EncodeToString(make([]byte, 40)))
	f.Fuzz(func(t *testing.T, text string) {
		secret, err := ParseSecret(text)
		if err != nil {
			require.True(t, secret.IsZero())
			return
		}
		require.GreaterOrEqual(t, len(secret.Bytes()), minSecretBytes)
		again, err := ParseSecret(hex.EncodeToString(secret.Bytes()))
		require.NoError(t, err)
		require.Equal(t, secret.Bytes(), again.Bytes())
	})
}
