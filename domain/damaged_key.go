package domain

import (
	"encoding/base64"
	"regexp"
	"strings"
)

// wrappedBase64Key finds "b64:" after quotes, blanks, a byte order mark, or a name such as "KEY=" or "X-Encryption-Key:
// ".
var wrappedBase64Key = regexp.MustCompile("^[\"'`\\s\ufeff]*([A-Za-z_-]+\\s*[:=])?[\"'`\\s\ufeff]*b64:")

// looksLikeKey reports whether text contains a generated key, whole or damaged. The caller has already checked that the
// text itself is not a valid key. If such a text were accepted as a passphrase, values would be sealed under the text,
// and the right key could not open them. A client that really has such a passphrase sends "b64:" and the base64 of the
// passphrase.
func looksLikeKey(text string) bool {
	// A copied key must be found even if it contains quotes, a byte order mark, line breaks or the zero bytes of
	// UTF-16.
	printed := strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' {
			return -1
		}
		return c
	}, text)
	return strings.Contains(strings.ToLower(printed), generatedKeyPrefix) || containsGeneratedKey(printed) ||
		wrappedBase64Key.MatchString(text) || isEncodedKey(printed)
}

// containsGeneratedKey reports whether a generated key without its prefix begins at any position of text. The checksum
// of the key rejects random text with a probability of 1 - 2^-36.
func containsGeneratedKey(text string) bool {
	for i := range len(text) - generatedKeyDigits - generatedKeyChecksum + 1 {
		if _, err := parseGeneratedKey(generatedKeyPrefix +
			text[i:i+generatedKeyDigits+generatedKeyChecksum]); err == nil {
			return true
		}
	}
	return false
}

// isEncodedKey reports whether text is the base64 of a generated key, as Kubernetes shows the data of a Secret.
func isEncodedKey(text string) bool {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && strings.Contains(strings.ToLower(string(raw)), generatedKeyPrefix)
}
