package ports

import (
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TOTP makes and checks time-based one-time codes: RFC 6238 with SHA-1, 6 digits and steps of 30 seconds, which is
// what authenticator apps read.
type TOTP interface {
	// NewSecret returns 160 random bits.
	NewSecret() (domain.Secret, error)
	// Enrolment returns what a person needs to put the secret into an authenticator app for an account.
	Enrolment(secret domain.Secret, account string) (Enrolment, error)
	// Match returns the step that the code belongs to, looking one step either way of now; ok is false when it belongs
	// to none. It compares in constant time. That a step is accepted once is for storage to see to.
	Match(secret domain.Secret, code string, now time.Time) (step int64, ok bool)
}

// Enrolment shows a secret, once. All of it is secret.
type Enrolment struct {
	// Secret is base32 without padding.
	Secret string
	// URI is otpauth://totp/ISSUER:ACCOUNT?secret=…&issuer=ISSUER, as authenticator apps read it.
	URI string
	// PNG is the URI as a QR code.
	PNG []byte
	// Terminal is the URI as a QR code of block characters, which a phone can read off a terminal.
	Terminal string
}
