// Package otp makes and checks the one-time codes of authenticator apps: TOTP (RFC 6238) over HOTP (RFC 4226), and the
// URI and QR codes by which an app learns a secret.
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

// Apps ignore or mishandle other values, whatever the URI says, so that none of these is a setting.
const (
	period    = 30 // seconds; RFC 6238, section 5.2
	skew      = 1  // steps either way, for clocks that differ and people who are slow; as above
	digits    = 6
	algorithm = "SHA1"
)

const (
	// maxIssuer: see maxAccount.
	maxIssuer = 50
	// secretBytes is the length that RFC 4226 recommends, section 4, R6.
	secretBytes = 20
	// leastSecretBytes is the length that it demands.
	leastSecretBytes = 16
)

// Config is what Codes need. Issuer must be set.
type Config struct {
	// Issuer is the name that apps show above the account: 1 to 50 bytes of printable text without a colon, which
	// separates it from the account.
	Issuer string
	// Random is crypto/rand.Reader unless a test needs the same bytes again. It must be safe for concurrent use.
	Random io.Reader
}

// Codes implements ports.TOTP. It is safe for concurrent use.
type Codes struct{ config Config }

// New makes Codes. Errors: an issuer that apps could not show.
func New(config Config) (*Codes, error) {
	if err := checkLabel(config.Issuer, maxIssuer); err != nil {
		return nil, fmt.Errorf("the issuer of one-time codes %w", err)
	}
	if config.Random == nil {
		config.Random = rand.Reader
	}
	return &Codes{config}, nil
}

// checkLabel refuses what apps would read as something else, cut or not show. The messages follow "the issuer" or
// such, and do not repeat the text.
func checkLabel(text string, most int) error {
	switch {
	case text == "":
		return errors.New("is missing or empty")
	case len(text) > most:
		return fmt.Errorf("is longer than %d bytes", most)
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

// NewSecret returns 160 random bits, as they are and not in base32. See ports.TOTP. Errors: a failing source of
// randomness.
func (c *Codes) NewSecret() (domain.Secret, error) {
	raw := make([]byte, secretBytes)
	defer clear(raw)
	if _, err := io.ReadFull(c.config.Random, raw); err != nil {
		return domain.Secret{}, fmt.Errorf("read randomness: %w", err)
	}
	secret := domain.NewSecret(string(raw))
	if err := checkSecret(secret); err != nil {
		return domain.Secret{}, err
	}
	return secret, nil
}

// Match finds the step of a code. See ports.TOTP. Spaces in the code are passed over, since apps show "123 456"; with
// anything else but six digits it belongs to no step. Nothing belongs to a secret that is too short or was cleared.
//
// Where steps share a code, the latest is returned: once it is spent, the code is spent for all of them, while the
// earliest would let the same code in again when the window has moved past it.
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
		// All steps are compared, and none by a branch: the time must tell neither digits nor the step.
		equal := subtle.ConstantTimeCompare([]byte(want), given[:])
		offset = subtle.ConstantTimeSelect(equal, o, offset)
		found |= equal
	}
	if found == 0 {
		return 0, false
	}
	return current + int64(offset), true
}

func codeAt(key string, step int64) (string, error) {
	return hotp.GenerateCodeCustom(key, uint64(step), //nolint:gosec // Match leaves out what is below zero
		hotp.ValidateOpts{Digits: pquerna.DigitsSix, Algorithm: pquerna.AlgorithmSHA1})
}

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

// checkSecret refuses secrets that anyone could guess codes of; a secret of zeros is one that was cleared too early.
func checkSecret(secret domain.Secret) error {
	raw := secret.Bytes()
	switch {
	case len(raw) < leastSecretBytes:
		return fmt.Errorf("a secret of one-time codes has at least %d bytes, not %d", leastSecretBytes, len(raw))
	case subtle.ConstantTimeCompare(raw, make([]byte, len(raw))) == 1:
		return errors.New("a secret of one-time codes cannot be all zeros: it may have been cleared")
	}
	return nil
}

// encodeSecret writes base32 (RFC 4648) without padding: the Key URI format forbids "=", and some apps stumble on it.
func encodeSecret(secret domain.Secret) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret.Bytes())
}
