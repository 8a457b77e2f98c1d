package keys

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// fault returns an error of one of the kinds that package client lists. cause may be nil.
func fault(kind error, message string, cause error) error {
	return client.NewKeyError(kind, message, cause)
}

// checksumDigits is the length of the checksum of a written form. The checksum detects typing errors, but not
// deliberate changes.
const checksumDigits = 6

// canonical rejects padding and trailing bits that are not zero. It ignores line ends, so decode64 rejects them itself.
var canonical = base64.RawURLEncoding.Strict()

// encode64 returns base64url without padding.
func encode64(raw []byte) string { return canonical.EncodeToString(raw) }

// decode64 decodes text only if encode64 can produce exactly this text. If size is not negative, the result must have
// exactly size bytes.
func decode64(text string, size int) ([]byte, bool) {
	if size >= 0 && len(text) != canonical.EncodedLen(size) {
		return nil, false
	}
	raw, err := canonical.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, false
	}
	return raw, true
}

// writeForm returns prefix, the bytes in base64url and a checksum. prefix ends in "_".
func writeForm(prefix string, raw []byte) string {
	return prefix + encode64(raw) + checksum(prefix, raw)
}

// parseForm parses a written form with the given prefix and returns its bytes. ok is true if the form is valid and
// contains exactly size bytes.
func parseForm(prefix, text string, size int) (raw []byte, ok bool) {
	body, ok := strings.CutPrefix(text, prefix)
	digits := canonical.EncodedLen(size)
	if !ok || len(body) != digits+checksumDigits {
		return nil, false
	}
	raw, ok = decode64(body[:digits], size)
	if !ok || subtle.ConstantTimeCompare([]byte(checksum(prefix, raw)), []byte(body[digits:])) != 1 {
		return nil, false
	}
	return raw, true
}

func checksum(prefix string, raw []byte) string {
	sum := sha256.Sum256(append([]byte(strings.TrimSuffix(prefix, "_")), raw...))
	return encode64(sum[:])[:checksumDigits]
}
