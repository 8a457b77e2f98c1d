package domain

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"log/slog"
	"strings"
	"unicode/utf8"
)

const redacted = "[secret]"

// Secret is text that must not be printed: it shows itself as "[secret]" to fmt, slog and encoding/json. The text is
// held by a function, which fmt cannot look into where it does not ask the methods (%p, unexported fields).
type Secret struct{ text func() []byte }

// NewSecret wraps text.
func NewSecret(text string) Secret { return secretOf([]byte(text)) }

func secretOf(text []byte) Secret { return Secret{text: func() []byte { return text }} }

// Bytes returns the text itself. It is shared, not copied, and becomes zeros after Clear.
func (s Secret) Bytes() []byte {
	if s.text == nil {
		return nil
	}
	return s.text()
}

// Clear overwrites the text with zeros. Copies that the runtime or a library made are out of its reach.
func (s Secret) Clear() { clear(s.Bytes()) }

// Format writes "[secret]" whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue writes "[secret]" into the log.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText writes "[secret]" into any encoding of text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// EncryptionKey is the key that a client sends with each request that writes or reads a value. It is either generated
// (32 random bytes, written as "lbk1_…") or a passphrase; the server keeps neither.
//
// A request is authorised before its key is looked at, so a key that is missing or damaged travels to that point as a
// value: Check returns what is wrong with it. The zero EncryptionKey is a missing one.
type EncryptionKey struct {
	Secret
	generated bool
	unusable  error
}

// UnusableEncryptionKey returns a key whose Check returns err, the error of ParseEncryptionKey.
func UnusableEncryptionKey(err error) EncryptionKey { return EncryptionKey{unusable: err} }

// Check returns nil for a key that values can be sealed under, and the reason why it is unusable otherwise.
func (k EncryptionKey) Check() error {
	if k.unusable == nil && len(k.Bytes()) == 0 {
		return errEncryptionKeyRequired
	}
	return k.unusable
}

// Generated reports whether Bytes are 32 random bytes that need no slow derivation.
func (k EncryptionKey) Generated() bool { return k.generated }

const (
	generatedKeyPrefix   = "lbk1_"
	generatedKeyDigits   = 43 // 32 bytes in base64url without padding
	generatedKeyChecksum = 6
	base64KeyPrefix      = "b64:"
	// maxEncryptionKeyBytes bounds what a passphrase may be; longer ones gain nothing.
	maxEncryptionKeyBytes = 1024
)

// canonical refuses characters outside the alphabet, padding, and spare bits that are not zero, so that a key has one
// spelling only.
var canonical = base64.RawURLEncoding.Strict()

// ParseEncryptionKey reads the header X-Encryption-Key: "lbk1_…" is a generated key, "b64:…" a passphrase of any bytes
// in standard base64, anything else a passphrase as it stands. It returns Invalid with code encryption_key_required
// for an empty header and encryption_key_invalid for a damaged one.
func ParseEncryptionKey(header string) (EncryptionKey, error) {
	switch {
	case header == "":
		return EncryptionKey{}, errEncryptionKeyRequired
	case strings.HasPrefix(header, generatedKeyPrefix):
		return parseGeneratedKey(header)
	case strings.HasPrefix(header, base64KeyPrefix):
		raw, err := base64.StdEncoding.Strict().DecodeString(header[len(base64KeyPrefix):])
		if err != nil || len(raw) == 0 || len(raw) > maxEncryptionKeyBytes {
			return EncryptionKey{},
				invalidEncryptionKey("what follows b64: is not 1 to 1024 bytes in standard base64 with padding")
		}
		return EncryptionKey{Secret: secretOf(raw)}, nil
	case len(header) > maxEncryptionKeyBytes:
		return EncryptionKey{}, invalidEncryptionKey("the header X-Encryption-Key is longer than 1024 bytes")
	case !utf8.ValidString(header):
		return EncryptionKey{},
			invalidEncryptionKey("the header X-Encryption-Key is not UTF-8: send other bytes as b64:…")
	default:
		return EncryptionKey{Secret: NewSecret(header)}, nil
	}
}

func parseGeneratedKey(header string) (EncryptionKey, error) {
	body := header[len(generatedKeyPrefix):]
	damaged := invalidEncryptionKey("the generated key is damaged: a character is wrong, missing or too many")
	if len(body) != generatedKeyDigits+generatedKeyChecksum {
		return EncryptionKey{}, damaged
	}
	raw, err := canonical.DecodeString(body[:generatedKeyDigits])
	if err != nil || len(raw) != 32 {
		return EncryptionKey{}, damaged
	}
	if subtle.ConstantTimeCompare([]byte(checksum(raw)), []byte(body[generatedKeyDigits:])) != 1 {
		return EncryptionKey{}, damaged
	}
	return EncryptionKey{Secret: secretOf(raw), generated: true}, nil
}

var errEncryptionKeyRequired = InvalidField("X-Encryption-Key", "encryption_key_required",
	"the header X-Encryption-Key is missing or empty: send the key that the entry is encrypted under")

func invalidEncryptionKey(message string) *Error {
	return InvalidField("X-Encryption-Key", "encryption_key_invalid", message)
}

// FormatGeneratedKey writes 32 random bytes as a key that ParseEncryptionKey reads: a prefix that tools can search
// for, 43 characters of base64url and 6 of a checksum that catches a slip of the hand.
func FormatGeneratedKey(random [32]byte) string {
	return generatedKeyPrefix + canonical.EncodeToString(random[:]) + checksum(random[:])
}

func checksum(key []byte) string {
	sum := sha256.Sum256(append([]byte("lbk1"), key...))
	return canonical.EncodeToString(sum[:])[:generatedKeyChecksum]
}
