package client

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// wrappedBase64Key finds "b64:" after quotes, blanks, a byte order mark, or a name such as "KEY=" or "X-Encryption-Key:
// ".
var wrappedBase64Key = regexp.MustCompile("^[\"'`\\s\ufeff]*([A-Za-z_-]+\\s*[:=])?[\"'`\\s\ufeff]*b64:")

// looksLikeKey reports whether text contains a key, whole or damaged. ParseEncryptionKey does not accept such a text as
// a passphrase, because the user means the key inside the text. If the client encrypted a value under the whole text,
// the key inside the text could not decrypt this value. The server refuses the same texts.
func looksLikeKey(text string) bool {
	// Find a key even if the copied text contains quotes, a byte order mark or line breaks, or is in UTF-16.
	printed := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, text)
	return strings.Contains(strings.ToLower(printed), generatedKeyPrefix) || containsGeneratedKey(printed) ||
		wrappedBase64Key.MatchString(text) || isEncodedKey(printed)
}

// containsGeneratedKey reports whether text contains the 43 digits of a generated key, followed by the 6 digits of
// their checksum, at any position. In random text, the checksum at a given position is right with a probability of at
// most 2^-36.
func containsGeneratedKey(text string) bool {
	for i := range len(text) - generatedKeyDigits - generatedKeyChecksum + 1 {
		if _, err := parseGeneratedKey(generatedKeyPrefix +
			text[i:i+generatedKeyDigits+generatedKeyChecksum]); err == nil {
			return true
		}
	}
	return false
}

// isEncodedKey reports whether text is the base64 of a generated key. Kubernetes shows the data of a Secret in this
// form.
func isEncodedKey(text string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && strings.Contains(strings.ToLower(string(raw)), generatedKeyPrefix)
}
