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

// Secret is text that must not be printed. It prints as "[secret]" with fmt, slog and encoding/json. With the verb %p,
// and for a Secret in an unexported field, fmt calls no methods. It prints the fields of the struct instead. The text
// is therefore stored in a closure, whose variables fmt cannot print.
type Secret struct{ text func() []byte }

// NewSecret wraps text.
func NewSecret(text string) Secret { return secretOf([]byte(text)) }

func secretOf(text []byte) Secret { return Secret{text: func() []byte { return text }} }

// Bytes returns the text itself, not a copy. A later call of Clear therefore overwrites the result with zeros.
func (s Secret) Bytes() []byte {
	if s.text == nil {
		return nil
	}
	return s.text()
}

// Clear overwrites the text with zeros. Copies that the runtime or a library made are not overwritten.
func (s Secret) Clear() { clear(s.Bytes()) }

// Format writes "[secret]" for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue returns "[secret]" for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText returns "[secret]" for encoders of text, such as encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// EncryptionKey is the key that a client sends with each request that writes or reads a value. It is either generated
// (32 random bytes, written as "lbk1_…") or a passphrase; the server stores neither.
//
// A request is authorised before its key is checked. Therefore an EncryptionKey can also be a missing or damaged key.
// Check then returns the error. The zero EncryptionKey is a missing key.
type EncryptionKey struct {
	Secret
	generated bool
	unusable  error
}

// UnusableEncryptionKey returns a key that cannot be used. Its method Check returns err, the error that
// ParseEncryptionKey returned.
func UnusableEncryptionKey(err error) EncryptionKey { return EncryptionKey{unusable: err} }

// Check returns nil if values can be sealed under the key. Otherwise it returns the reason why the key is unusable.
func (k EncryptionKey) Check() error {
	if k.unusable == nil && len(k.Bytes()) == 0 {
		return ErrEncryptionKeyRequired
	}
	return k.unusable
}

// Generated reports whether the key is a generated key and not a passphrase. A passphrase needs a key derivation; a
// generated key does not.
func (k EncryptionKey) Generated() bool { return k.generated }

const (
	generatedKeyPrefix   = "lbk1_"
	generatedKeyDigits   = 43 // 32 bytes in base64url without padding
	generatedKeyChecksum = 6
	base64KeyPrefix      = "b64:"
	// maxEncryptionKeyBytes is the maximum length of a passphrase, in bytes. A longer passphrase would not be more
	// secure.
	maxEncryptionKeyBytes = 1024
)

// FieldEncryptionKey is the field name in the errors that ParseEncryptionKey returns. An adapter replaces it with the
// name that its clients use, such as the name of a header.
const FieldEncryptionKey = "encryptionKey"

// canonical rejects padding, characters outside the alphabet, and trailing bits that are not zero. A key therefore has
// exactly one spelling.
var canonical = base64.RawURLEncoding.Strict()

// ParseEncryptionKey parses an encryption key as a client writes it. "lbk1_…" is a generated key. "b64:…" is a
// passphrase of any bytes in standard base64. A text that contains a generated key and other text, for example quotes,
// counts as a damaged key. Any other text is itself a passphrase. ParseEncryptionKey returns ErrEncryptionKeyRequired
// for an empty text, and Invalid with code encryption_key_invalid for a damaged key. Errors do not repeat any part of
// the text.
func ParseEncryptionKey(text string) (EncryptionKey, error) {
	switch {
	case text == "":
		return EncryptionKey{}, ErrEncryptionKeyRequired
	case strings.HasPrefix(text, generatedKeyPrefix):
		return parseGeneratedKey(text)
	case strings.HasPrefix(text, base64KeyPrefix):
		raw, err := base64.StdEncoding.Strict().DecodeString(text[len(base64KeyPrefix):])
		if err != nil || len(raw) == 0 || len(raw) > maxEncryptionKeyBytes {
			return EncryptionKey{}, invalidEncryptionKey(
				"an encryption key with the prefix b64: needs 1 to 1024 bytes in standard base64 with padding")
		}
		return EncryptionKey{Secret: secretOf(raw)}, nil
	case len(text) > maxEncryptionKeyBytes:
		return EncryptionKey{}, invalidEncryptionKey("the encryption key is longer than 1024 bytes")
	case strings.Contains(text, IdentitySeedPrefix):
		return EncryptionKey{}, invalidEncryptionKey(
			"the encryption key contains an identity: never send an identity to a server; send the key of the box")
	case looksLikeKey(text):
		return EncryptionKey{}, invalidEncryptionKey(
			"the encryption key is damaged, or has other text around it: send the key from keygen and nothing else; " +
				"for a passphrase that looks like a key, send b64: followed by the passphrase in base64")
	case !utf8.ValidString(text):
		return EncryptionKey{}, invalidEncryptionKey(
			"the encryption key is not UTF-8: send b64: followed by the passphrase in base64")
	default:
		return EncryptionKey{Secret: NewSecret(text)}, nil
	}
}

func parseGeneratedKey(text string) (EncryptionKey, error) {
	body := text[len(generatedKeyPrefix):]
	if len(body) != generatedKeyDigits+generatedKeyChecksum {
		return EncryptionKey{}, errDamagedKey()
	}
	raw, err := canonical.DecodeString(body[:generatedKeyDigits])
	if err != nil || len(raw) != 32 {
		return EncryptionKey{}, errDamagedKey()
	}
	if subtle.ConstantTimeCompare([]byte(checksum(raw)), []byte(body[generatedKeyDigits:])) != 1 {
		return EncryptionKey{}, errDamagedKey()
	}
	return EncryptionKey{Secret: secretOf(raw), generated: true}, nil
}

func errDamagedKey() *Error {
	return invalidEncryptionKey(
		"the generated encryption key is damaged: a character is wrong, missing or added; copy the key again")
}

func invalidEncryptionKey(message string) *Error {
	return InvalidField(FieldEncryptionKey, "encryption_key_invalid", message)
}

// FormatGeneratedKey writes 32 random bytes as a key that ParseEncryptionKey parses: a prefix that tools can search
// for, 43 characters of base64url, and 6 characters of a checksum that detects typing errors.
func FormatGeneratedKey(random [32]byte) string {
	return generatedKeyPrefix + canonical.EncodeToString(random[:]) + checksum(random[:])
}

func checksum(key []byte) string {
	sum := sha256.Sum256(append([]byte("lbk1"), key...))
	return canonical.EncodeToString(sum[:])[:generatedKeyChecksum]
}
