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

// canonical refuses padding and spare bits that are not zero, so that a key has one spelling only.
var canonical = base64.RawURLEncoding.Strict()

// EncryptionKey is what values are encrypted under: the header X-Encryption-Key. The server does not store it, and who
// loses it loses the values. It is either generated (256 random bits, "lbk1_…") or a passphrase. It does not print: fmt,
// log, slog and encoding/json show "[client.EncryptionKey]".
type EncryptionKey struct{ header func() string }

// GenerateEncryptionKey makes a new key from 32 random bytes. Keep what Reveal returns.
func GenerateEncryptionKey() EncryptionKey {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return keyOf(generatedKeyPrefix + canonical.EncodeToString(raw[:]) + keyChecksum(raw[:]))
}

// ParseEncryptionKey reads a key as lockbox keygen prints it and as people write it: "lbk1_…" is a generated key, whose
// checksum is verified; "b64:…" a passphrase of any bytes in standard base64; anything else a passphrase as it stands, up
// to 1,024 bytes. It returns ErrEncryptionKeyRequired for the empty text and ErrInvalid for a damaged key; the error does
// not repeat it.
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
					"what follows b64: is not 1 to 1024 bytes in standard base64 with padding")
		}
		return keyOf(text), nil
	default:
		return PassphraseKey([]byte(text))
	}
}

// PassphraseKey makes a key of a passphrase of 1 to 1,024 bytes of any kind, and is the same key as ParseEncryptionKey
// makes of the same text. What a header cannot carry unharmed (line ends, spaces at the ends, other alphabets) is sent
// as b64:. It returns ErrEncryptionKeyRequired without bytes and ErrInvalid with too many.
func PassphraseKey(passphrase []byte) (EncryptionKey, error) {
	switch text := string(passphrase); {
	case text == "":
		return EncryptionKey{}, badKey("encryption_key_required", "the passphrase is empty", ErrEncryptionKeyRequired)
	case len(text) > maxPassphraseBytes:
		return EncryptionKey{}, badKey("encryption_key_invalid", "the passphrase is longer than 1024 bytes")
	case strings.HasPrefix(text, generatedKeyPrefix), strings.HasPrefix(text, base64KeyPrefix), !isHeaderText(text):
		return keyOf(base64KeyPrefix + base64.StdEncoding.EncodeToString(passphrase)), nil
	default:
		return keyOf(text), nil
	}
}

// isHeaderText reports whether text crosses servers and proxies as a header without a change: printable ASCII that
// neither begins nor ends with a space.
func isHeaderText(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return strings.TrimSpace(text) == text
}

func parseGeneratedKey(text string) (EncryptionKey, error) {
	damaged := badKey("encryption_key_invalid",
		"the generated key is damaged: a character is wrong, missing or too many")
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

// Reveal returns the key as ParseEncryptionKey reads it, "" of the zero EncryptionKey.
func (k EncryptionKey) Reveal() string {
	if k.header == nil {
		return ""
	}
	return k.header()
}

// IsZero reports whether there is no key.
func (k EncryptionKey) IsZero() bool { return k.header == nil }

// Generated reports whether the key is one of 256 random bits, which costs the server microseconds; a passphrase costs
// it tens of milliseconds.
func (k EncryptionKey) Generated() bool { return strings.HasPrefix(k.Reveal(), generatedKeyPrefix) }

// String returns "[client.EncryptionKey]".
func (k EncryptionKey) String() string { return redactedKey }

// GoString returns "[client.EncryptionKey]".
func (k EncryptionKey) GoString() string { return redactedKey }

// Format writes "[client.EncryptionKey]" whatever the verb.
func (k EncryptionKey) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedKey)) }

// LogValue writes "[client.EncryptionKey]" into the log.
func (k EncryptionKey) LogValue() slog.Value { return slog.StringValue(redactedKey) }

// MarshalText writes "[client.EncryptionKey]" into JSON and any other encoding of text.
func (k EncryptionKey) MarshalText() ([]byte, error) { return []byte(redactedKey), nil }

// UnmarshalText reads a key as ParseEncryptionKey does.
func (k *EncryptionKey) UnmarshalText(text []byte) error {
	read, err := ParseEncryptionKey(string(text))
	if err != nil {
		return errors.New("client: an encryption key is empty or damaged")
	}
	*k = read
	return nil
}
