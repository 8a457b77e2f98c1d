package domain_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// utf16 encodes text as UTF-16 with a byte order mark, as the redirection ">" of Windows PowerShell does.
func utf16(text string) string {
	var out strings.Builder
	out.WriteString("\xff\xfe")
	for i := range len(text) {
		out.WriteByte(text[i])
		out.WriteByte(0)
	}
	return out.String()
}

// TestTextAroundKeys checks that a text with additional characters around a key is refused. The same bytes are
// accepted with the prefix b64:.
func TestTextAroundKeys(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte(writtenKey))
	for _, text := range []string{
		`"` + writtenKey + `"`, "'" + writtenKey + "'", "`" + writtenKey + "`", "“" + writtenKey + "”",
		" " + writtenKey, "\t" + writtenKey, "\u00a0" + writtenKey, "\ufeff" + writtenKey, "\u200b" + writtenKey,
		"KEY=" + writtenKey, "LOCKBOX_ENCRYPTION_KEY=" + writtenKey, "X-Encryption-Key: " + writtenKey,
		"Bearer " + writtenKey, "x" + writtenKey, strings.ToUpper(writtenKey), "LBK1_x", "Lbk1_" + writtenKey[5:],
		`"` + writtenKey[:30], "key: lbk1_", "a\n" + writtenKey + "\n", writtenKey[:5] + "\n" + writtenKey[5:],
		"l\u200bbk1_" + writtenKey[5:], writtenKey[1:], writtenKey[5:], "1bk1_" + writtenKey[5:],
		strings.Replace(writtenKey, "_", "%5F", 1), encoded, strings.TrimRight(encoded, "="), encoded + "\n",
		utf16(writtenKey), `"b64:3q2+7w=="`, " b64:3q2+7w==", "KEY=b64:3q2+7w==", "X-Encryption-Key: b64:3q2+7w==",
		"\ufeffb64:3q2+7w==",
	} {
		key, err := domain.ParseEncryptionKey(text)
		refusedKey(t, err, "encryption_key_invalid", text)
		require.Empty(t, key.Bytes(), text)
		key, err = domain.ParseEncryptionKey("b64:" + base64.StdEncoding.EncodeToString([]byte(text)))
		require.NoError(t, err, text)
		require.Equal(t, text, string(key.Bytes()))
	}
	// Any other text is accepted as a passphrase, even if it is short or looks like a key.
	for _, text := range []string{
		"lbk1", "lbk 1", "lbk1-x", "lbk2_x", `"hunter2"`, "KEY=value", "my b64: words", "bGJr", "a_b_c",
		strings.Repeat("A", 49), strings.Repeat("aB3-_", 200), "WPN0000000000000000000000000000000000000000000000000",
	} {
		key, err := domain.ParseEncryptionKey(text)
		require.NoError(t, err, text)
		require.Equal(t, text, string(key.Bytes()))
	}
}
