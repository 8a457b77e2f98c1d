package sealing

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lockbox-go/lockbox/domain"
)

// minSecretBytes is the minimum length of a secret. The secret is used without a password-based key derivation, so it
// must be as strong as the keys that it wraps.
const minSecretBytes = 32

// Secret is the value of LOCKBOX_SECRET_KEY, which wraps the server keys and authenticates the manifests of backups. It
// prints as [secret]. The zero Secret means that no secret is set.
type Secret struct{ domain.Secret }

// IsZero reports whether no secret was set.
func (s Secret) IsZero() bool { return len(s.Bytes()) == 0 }

// ParseSecret parses a secret of at least 32 random bytes. The text must be hexadecimal or base64. Both alphabets of
// base64 are accepted, with or without padding. Text that consists of hexadecimal digits is read as hexadecimal. Errors
// do not repeat the text.
func ParseSecret(text string) (Secret, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		raw, err = decodeAnyBase64(text)
	}
	switch {
	case text == "":
		return Secret{}, errors.New("the secret is empty")
	case strings.ContainsAny(text, " \t\r\n"):
		// The base64 decoder skips line breaks, so hexadecimal text with a line break would decode to wrong bytes.
		return Secret{}, errors.New("the secret contains white space")
	case err != nil:
		return Secret{}, errors.New("the secret must be base64 or hexadecimal")
	case len(raw) < minSecretBytes:
		return Secret{}, fmt.Errorf("the secret has %d bytes; it must have at least %d random bytes", len(raw),
			minSecretBytes)
	}
	return Secret{domain.NewSecret(string(raw))}, nil
}

var standardAlphabet = strings.NewReplacer("-", "+", "_", "/")

// decodeAnyBase64 decodes both base64 alphabets of RFC 4648, with or without padding.
func decodeAnyBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(standardAlphabet.Replace(strings.TrimRight(text, "=")))
}

// GenerateSecret returns a new secret for ParseSecret: 32 bytes from the given source, encoded as 43 characters of
// base64url. It panics if the source fails; crypto/rand.Reader never fails.
func GenerateSecret(random io.Reader) string {
	var raw [minSecretBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		panic("read random bytes for a secret: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
