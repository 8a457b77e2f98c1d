// Package otp implements two-factor authentication with TOTP codes (RFC 6238, which is based on RFC 4226). It generates
// secrets and verifies codes. For authenticator apps, it returns a secret as a URI and as a QR code.
package otp

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	pquerna "github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/lockbox-go/lockbox/domain"
)

// The TOTP parameters are fixed. Many authenticator apps ignore the parameters in the URI and always use these values.
const (
	period    = 30 // seconds per time step; RFC 6238, section 5.2
	skew      = 1  // accepted steps before and after the current one, for clock drift and delay; RFC 6238, section 5.2
	digits    = 6
	algorithm = "SHA1"
)

const (
	// maxIssuer is the maximum length of the issuer in bytes; see maxAccount.
	maxIssuer = 50
	// secretBytes is the recommended length of a secret (RFC 4226, section 4, R6).
	secretBytes = 20
	// minSecretBytes is the minimum length of a secret (RFC 4226, section 4, R6).
	minSecretBytes = 16
)

// Config configures Codes. Issuer is required.
type Config struct {
	// Issuer is the name that apps show above the account. It must be 1 to 50 bytes of printable text. It must not
	// contain a colon, because a colon separates the issuer and the account in the URI.
	Issuer string
	// Random is the source of secrets; nil means crypto/rand.Reader. It must be safe for concurrent use.
	Random io.Reader
}

// Codes implements ports.TOTP. It is safe for concurrent use.
type Codes struct{ config Config }

// New returns Codes. It fails for an invalid issuer.
func New(config Config) (*Codes, error) {
	if err := checkLabel(config.Issuer, maxIssuer); err != nil {
		return nil, fmt.Errorf("the TOTP issuer %w", err)
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	return &Codes{config}, nil
}

// checkLabel refuses labels that apps would misread, truncate or not show. Each message is the second half of a
// sentence such as "the TOTP issuer …" and does not contain the label.
func checkLabel(text string, maxBytes int) error {
	switch {
	case text == "":
		return errors.New("is missing or empty")
	case len(text) > maxBytes:
		return fmt.Errorf("is longer than %d bytes", maxBytes)
	case !utf8.ValidString(text):
		return errors.New("is not UTF-8")
	case strings.Contains(text, ":"):
		return errors.New("contains a colon, which separates issuer and account in the URI")
	case strings.TrimSpace(text) != text:
		return errors.New("begins or ends with a space")
	case strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return errors.New("contains characters that cannot be printed")
	}
	return nil
}

// NewSecret returns 20 random bytes, not encoded in base32. See ports.TOTP. It fails only if the random source fails.
func (c *Codes) NewSecret() (domain.Secret, error) {
	raw := make([]byte, secretBytes)
	defer clear(raw)
	if _, err := io.ReadFull(c.config.Random, raw); err != nil {
		return domain.Secret{}, fmt.Errorf("read random bytes: %w", err)
	}
	secret := domain.NewSecret(string(raw))
	if err := checkSecret(secret); err != nil {
		return domain.Secret{}, err
	}
	return secret, nil
}

// Match returns the time step of a code, and false if the code is wrong. See ports.TOTP. It ignores spaces in the code,
// because apps show "123 456". It returns false for a code that is not six digits, and for a secret that is too short
// or was cleared.
//
// If several steps have the same code, Match returns the latest step. If Match returned an earlier step, the code could
// be used a second time, because it would match again for a later step.
func (*Codes) Match(secret domain.Secret, code string, now time.Time) (int64, bool) {
	given, ok := readCode(code)
	if !ok || checkSecret(secret) != nil || now.Unix() < 0 {
		return 0, false
	}
	key := encodeSecret(secret)
	current := now.Unix() / period
	var offset, found int
	for o := -skew; o <= skew; o++ {
		step := current + int64(o)
		if step < 0 {
			continue
		}
		want, err := codeAt(key, step)
		if err != nil {
			return 0, false
		}
		// Compare all steps in constant time, so the duration reveals neither digits nor the step.
		equal := subtle.ConstantTimeCompare([]byte(want), given[:])
		offset = subtle.ConstantTimeSelect(equal, o, offset)
		found |= equal
	}
	if found == 0 {
		return 0, false
	}
	return current + int64(offset), true
}

// codeAt returns the code of a time step. The key is the secret in base32.
func codeAt(key string, step int64) (string, error) {
	return hotp.GenerateCodeCustom(key, uint64(step), //nolint:gosec // Match skips negative steps
		hotp.ValidateOpts{Digits: pquerna.DigitsSix, Algorithm: pquerna.AlgorithmSHA1})
}

// readCode returns the six digits of a code and ignores spaces.
func readCode(text string) (code [digits]byte, ok bool) {
	n := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c == ' ':
		case c < '0' || c > '9' || n == digits:
			return code, false
		default:
			code[n] = c
			n++
		}
	}
	return code, n == digits
}

// checkSecret refuses secrets whose codes are predictable. These are secrets that are too short, and secrets that
// consist of zeros. A secret that the program clears too early consists of zeros.
func checkSecret(secret domain.Secret) error {
	raw := secret.Bytes()
	switch {
	case len(raw) < minSecretBytes:
		return fmt.Errorf("a TOTP secret must have at least %d bytes, but this one has %d", minSecretBytes, len(raw))
	case subtle.ConstantTimeCompare(raw, make([]byte, len(raw))) == 1:
		return errors.New("a TOTP secret must not be all zeros: it may have been cleared too early")
	}
	return nil
}

// encodeSecret returns base32 (RFC 4648) without padding. The Key URI format forbids "=", and some apps fail on it.
func encodeSecret(secret domain.Secret) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret.Bytes())
}
