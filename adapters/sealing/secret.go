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

// minSecretBytes: the secret is not stretched, so it must be as strong as the keys that it wraps.
const minSecretBytes = 32

// Secret is what the server is given in LOCKBOX_SECRET_KEY. It only ever wraps keys. It prints as [secret]; the zero
// Secret is none.
type Secret struct{ domain.Secret }

// IsZero reports whether no secret was set.
func (s Secret) IsZero() bool { return len(s.Bytes()) == 0 }

// ParseSecret reads a secret: at least 32 random bytes in hexadecimal or in base64 with either alphabet, padded or not.
// Text of hexadecimal digits alone is taken as such. The errors repeat nothing of the text.
func ParseSecret(text string) (Secret, error) {
	raw, err := hex.DecodeString(text)
	if err != nil {
		raw, err = decodeAnyBase64(text)
	}
	switch {
	case text == "":
		return Secret{}, errors.New("the secret is empty")
	case strings.ContainsAny(text, " \t\r\n"):
		// The decoders skip line breaks, which would turn broken hexadecimal into base64 of something else.
		return Secret{}, errors.New("the secret holds white space")
	case err != nil:
		return Secret{}, errors.New("the secret is neither base64 nor hexadecimal")
	case len(raw) < minSecretBytes:
		return Secret{}, fmt.Errorf("the secret holds %d bytes; it needs at least %d random ones", len(raw),
			minSecretBytes)
	}
	return Secret{domain.NewSecret(string(raw))}, nil
}

var standardAlphabet = strings.NewReplacer("-", "+", "_", "/")

func decodeAnyBase64(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(standardAlphabet.Replace(strings.TrimRight(text, "=")))
}

// GenerateSecret makes a secret that ParseSecret reads: 32 bytes of random in base64url, 43 characters. It panics when
// random fails; crypto/rand.Reader never does.
func GenerateSecret(random io.Reader) string {
	var raw [minSecretBytes]byte
	if _, err := io.ReadFull(random, raw[:]); err != nil {
		panic("no randomness for a secret: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw[:])
}
