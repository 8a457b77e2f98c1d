package client

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	redactedKey = "[client.EncryptionKey]"

	generatedKeyPrefix   = "lbk1_"
	generatedKeyDigits   = 43 // 32 bytes in base64url without padding
	generatedKeyChecksum = 6
	base64KeyPrefix      = "b64:"
	maxPassphraseBytes   = 1024
)

// canonical refuses padding and non-zero spare bits, so every key has exactly one spelling.
var canonical = base64.RawURLEncoding.Strict()

// EncryptionKey is a key that encrypts values, sent in the header X-Encryption-Key. The server never stores it: without
// the key, the values cannot be recovered. A key is either generated (256 random bits, "lbk1_…") or a passphrase.
// Instead of its value, fmt, log, slog and encoding/json show "[client.EncryptionKey]".
type EncryptionKey struct{ header func() string }

// GenerateEncryptionKey returns a new key of 32 random bytes. Store the text that Reveal returns.
func GenerateEncryptionKey() EncryptionKey {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // crypto/rand.Read never returns an error
	return keyOf(generatedKeyPrefix + canonical.EncodeToString(raw[:]) + keyChecksum(raw[:]))
}

// ParseEncryptionKey parses the text form of a key:
//
//   - "lbk1_…" is a generated key, as lockbox keygen prints it. Its checksum is verified.
//   - "b64:…" is a passphrase of any bytes in standard base64.
//   - Any other text is the passphrase itself. However, a text that contains a whole or partial key counts as a damaged
//     key, not as a passphrase. Examples are a key in quotes, after NAME= or in another letter case.
//
// A passphrase has at most 1,024 bytes. ParseEncryptionKey returns ErrEncryptionKeyRequired for the empty text and
// ErrInvalid for a damaged key. The error does not repeat the text.
func ParseEncryptionKey(text string) (EncryptionKey, error) {
	switch {
	case text == "":
		return EncryptionKey{},
			badKey("encryption_key_required", "the encryption key is empty", ErrEncryptionKeyRequired)
	case strings.HasPrefix(text, generatedKeyPrefix):
		return parseGeneratedKey(text)
	case strings.HasPrefix(text, base64KeyPrefix):
		raw, err := base64.StdEncoding.Strict().DecodeString(text[len(base64KeyPrefix):])
		if err != nil || len(raw) == 0 || len(raw) > maxPassphraseBytes {
			return EncryptionKey{},
				badKey("encryption_key_invalid",
					"an encryption key with the prefix b64: needs 1 to 1024 bytes in standard base64 with padding")
		}
		return keyOf(text), nil
	case len(text) <= maxPassphraseBytes && looksLikeKey(text):
		return EncryptionKey{}, badKey("encryption_key_invalid",
			"the encryption key is damaged, or has other text around it, such as quotes: "+
				"use the key from lockbox keygen and nothing else; "+
				"for a passphrase that looks like a key, use b64: followed by the passphrase in base64")
	default:
		return PassphraseKey([]byte(text))
	}
}

// PassphraseKey returns an encryption key that consists of a passphrase of 1 to 1,024 arbitrary bytes. If the
// passphrase does not look like a key, the result is the same as that of ParseEncryptionKey. PassphraseKey encodes a
// passphrase as "b64:…" if the passphrase looks like a key or contains bytes that are not allowed in a header, such as
// line ends or non-ASCII characters. Text from a file or a variable may be a generated key, so use ParseEncryptionKey
// for such text. PassphraseKey returns ErrEncryptionKeyRequired for an empty passphrase and ErrInvalid for one that is
// too long.
func PassphraseKey(passphrase []byte) (EncryptionKey, error) {
	switch text := string(passphrase); {
	case text == "":
		return EncryptionKey{}, badKey("encryption_key_required", "the passphrase is empty", ErrEncryptionKeyRequired)
	case len(text) > maxPassphraseBytes:
		return EncryptionKey{}, badKey("encryption_key_invalid", "the passphrase is longer than 1024 bytes")
	case strings.HasPrefix(text, base64KeyPrefix), looksLikeKey(text), !isHeaderText(text):
		return keyOf(base64KeyPrefix + base64.StdEncoding.EncodeToString(passphrase)), nil
	default:
		return keyOf(text), nil
	}
}

// isHeaderText reports whether text is printable ASCII without leading or trailing spaces. Servers and proxies pass
// such text through unchanged in a header.
func isHeaderText(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(text) == text
}

// parseGeneratedKey parses a text that begins with "lbk1_". The rest must be 43 digits of base64url, which encode 32
// bytes, and a checksum of 6 digits.
func parseGeneratedKey(text string) (EncryptionKey, error) {
	damaged := badKey("encryption_key_invalid",
		"the generated key is damaged: copy all 54 characters again, including lbk1_ at the beginning")
	body := text[len(generatedKeyPrefix):]
	if len(body) != generatedKeyDigits+generatedKeyChecksum {
		return EncryptionKey{}, damaged
	}
	raw, err := canonical.DecodeString(body[:generatedKeyDigits])
	if err != nil || subtle.ConstantTimeCompare([]byte(keyChecksum(raw)), []byte(body[generatedKeyDigits:])) != 1 {
		return EncryptionKey{}, damaged
	}
	return keyOf(text), nil
}

// keyChecksum returns the first 6 base64url digits of SHA-256("lbk1" | raw). The checksum detects typing errors, but
// not a deliberate change.
func keyChecksum(raw []byte) string {
	sum := sha256.Sum256(append([]byte("lbk1"), raw...))
	return canonical.EncodeToString(sum[:])[:generatedKeyChecksum]
}

func badKey(code, message string, kinds ...error) *Error {
	return &Error{
		Code:    code,
		Message: message,
		Field:   "X-Encryption-Key",
		kinds:   append(kinds, ErrInvalid),
	}
}

func keyOf(header string) EncryptionKey {
	return EncryptionKey{header: func() string { return header }}
}

// Reveal returns the key in the form that ParseEncryptionKey accepts, or "" for the zero EncryptionKey.
func (k EncryptionKey) Reveal() string {
	if k.header == nil {
		return ""
	}
	return k.header()
}

// IsZero reports whether the key is unset.
func (k EncryptionKey) IsZero() bool { return k.header == nil }

// Generated reports whether the key was generated from 256 random bits. The server uses a generated key directly. Each
// use of a passphrase requires a key derivation (Argon2id), which takes tens of milliseconds.
func (k EncryptionKey) Generated() bool { return strings.HasPrefix(k.Reveal(), generatedKeyPrefix) }

// String returns "[client.EncryptionKey]".
func (k EncryptionKey) String() string { return redactedKey }

// GoString returns "[client.EncryptionKey]".
func (k EncryptionKey) GoString() string { return redactedKey }

// Format implements fmt.Formatter. It prints "[client.EncryptionKey]" for every verb.
func (k EncryptionKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedKey)) }

// LogValue implements slog.LogValuer and returns "[client.EncryptionKey]".
func (k EncryptionKey) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalText implements encoding.TextMarshaler and returns "[client.EncryptionKey]". Package encoding/json uses it
// too.
func (k EncryptionKey) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }

// UnmarshalText implements encoding.TextUnmarshaler with the rules of ParseEncryptionKey.
func (k *EncryptionKey) UnmarshalText(text []byte) error {
	read, err := ParseEncryptionKey(string(text))
	if err != nil {
		return errors.New("client: the encryption key is empty or damaged")
	}
	*k = read
	return nil
}
