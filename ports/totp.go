package ports

import (
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TOTP generates and checks time-based one-time passwords (RFC 6238). It uses SHA-1, 6 digits and steps of 30 seconds,
// because all authenticator apps support these parameters.
type TOTP interface {
	// NewSecret returns 160 random bits.
	NewSecret() (domain.Secret, error)
	// Enrolment returns the forms in which a user can transfer the secret to an authenticator app.
	Enrolment(secret domain.Secret, account string) (Enrolment, error)
	// Match returns the time step to which the code belongs. It accepts the current step, the step before it and the
	// step after it. ok is false when the code belongs to none of these steps. Match compares in constant time. Match
	// does not detect the reuse of a code. TOTPSecrets.Accept detects a reuse by the time step.
	Match(secret domain.Secret, code string, now time.Time) (step int64, ok bool)
}

// Enrolment contains a TOTP secret in several forms. All of them are secret and are shown once.
type Enrolment struct {
	// Secret is base32 without padding.
	Secret string
	// URI is otpauth://totp/ISSUER:ACCOUNT?secret=…&issuer=ISSUER, the format of authenticator apps.
	URI string
	// PNG is the URI as a QR code.
	PNG []byte
	// Terminal is the URI as a QR code of block characters, which a phone can scan from a terminal.
	Terminal string
}
