package keys

import (
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"

	"github.com/lockbox-go/lockbox/client"
)

const (
	boxKeyForm = "lbk1_"
	keyIDInfo  = "lockbox/v1/key-id"
	redacted   = "[keys: secret]"
)

// secret holds 32 bytes that must not be printed. Package fmt prints some values by reflection, without calling their
// methods. The bytes are therefore in a closure, which has no fields that fmt could print.
type secret struct{ raw func() *[keyLen]byte }

func secretOf(raw [keyLen]byte) secret { return secret{func() *[keyLen]byte { return &raw }} }

// bytes returns the bytes, or nil for the zero secret. The caller must not change the slice, because it is not a copy.
func (s secret) bytes() []byte {
	if s.raw == nil {
		return nil
	}
	return s.raw()[:]
}

// Format implements fmt.Formatter and prints a placeholder for every verb.
func (s secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redacted)) }

// LogValue implements slog.LogValuer and returns a placeholder.
func (s secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler and returns a placeholder.
func (s secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// BoxKey is the key of a box: 32 random bytes that encrypt its values. Its printed form is a placeholder.
type BoxKey struct{ secret }

// GenerateBoxKey returns a new box key.
func GenerateBoxKey() BoxKey {
	var raw [keyLen]byte
	_, _ = rand.Read(raw[:]) // crypto/rand.Read never returns an error
	return BoxKey{secretOf(raw)}
}

// BoxKeyOf converts a generated encryption key ("lbk1_…") to a box key. ok is false for a passphrase, because a
// passphrase cannot be the key of a keyring.
func BoxKeyOf(key client.EncryptionKey) (_ BoxKey, ok bool) {
	raw, ok := parseForm(boxKeyForm, key.Reveal(), keyLen)
	if !ok {
		return BoxKey{}, false
	}
	return BoxKey{secretOf([keyLen]byte(raw))}, true
}

// ID returns the id of the key.
func (k BoxKey) ID() KeyID { return KeyID(expand(k.bytes(), keyIDInfo, len(KeyID{}))) }

// EncryptionKey converts the key to the type that package client uses.
func (k BoxKey) EncryptionKey() client.EncryptionKey {
	key, err := client.ParseEncryptionKey(writeForm(boxKeyForm, k.bytes()))
	must(err)
	return key
}

// Equal compares two keys in constant time.
func (k BoxKey) Equal(other BoxKey) bool {
	return subtle.ConstantTimeCompare(k.bytes(), other.bytes()) == 1
}
