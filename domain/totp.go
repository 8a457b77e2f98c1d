package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"time"
)

// TOTPID identifies a TOTPSecret.
type TOTPID = ID[TOTPSecret]

// TOTPSecret is the stored state of a TOTP secret. It does not contain the secret itself. A user has at most one
// pending secret and at most one secret in force.
type TOTPSecret struct {
	ID   TOTPID
	User UserID
	// Pending reports whether the user has enrolled the secret but has not confirmed it yet. Until the confirmation, an
	// earlier secret stays in force.
	Pending bool
	// Own reports whether the user enrolled the secret. Such a secret is never shown again.
	Own bool
	// ConfirmedAt is when the first code was accepted. It is zero until then.
	ConfirmedAt time.Time
	// LastStep is the time step of the last accepted code. Codes of this and of earlier steps are refused.
	LastStep  int64
	CreatedAt time.Time
}

// Confirmed reports whether a first code was accepted. Signing in with a password requires a code from then on.
func (c TOTPSecret) Confirmed() bool { return !c.ConfirmedAt.IsZero() }

// TOTPState holds the secret in force and the pending secret of a user. A missing secret is nil.
type TOTPState struct{ InForce, Pending *TOTPSecret }

// ChangeFrom returns the change from an earlier state. The text of a state is "none", "unconfirmed" or "confirmed",
// according to the secret in force. If there is a pending secret, ", enrolling" is appended. A secret may have been
// replaced although both states have the same text. In this case, ", replaced" is appended to the new text.
func (s TOTPState) ChangeFrom(before TOTPState) Change {
	change := Change{Property: PropertyTOTP, From: before.text(), To: s.text()}
	if change.From == change.To && (before.InForce.id() != s.InForce.id() || before.Pending.id() != s.Pending.id()) {
		change.To += ", replaced"
	}
	return change
}

func (s TOTPState) text() string {
	text := "none"
	switch {
	case s.InForce == nil:
	case s.InForce.Confirmed():
		text = "confirmed"
	default:
		text = "unconfirmed"
	}
	if s.Pending != nil {
		text += ", enrolling"
	}
	return text
}

// id returns zero for a missing secret.
func (c *TOTPSecret) id() TOTPID {
	if c == nil {
		return TOTPID{}
	}
	return c.ID
}

// Showable decides whether the secret may be shown. A secret that its user enrolled must not be shown. Any other secret
// may be shown until its first code is accepted.
func (c TOTPSecret) Showable() error {
	if c.Own || c.Confirmed() {
		return ErrSecretHidden
	}
	return nil
}

const (
	// RecoveryCodes is the number of recovery codes of an enrolment.
	RecoveryCodes     = 10
	recoveryCodeBytes = 15 // 120 bits, 24 digits of base32
	recoveryGroup     = 6
)

// RecoveryCode is for a user whose authenticator app is lost. It is accepted once in place of a TOTP code.
type RecoveryCode [recoveryCodeBytes]byte

// NewRecoveryCodes returns the recovery codes of an enrolment.
func NewRecoveryCodes() []RecoveryCode {
	codes := make([]RecoveryCode, RecoveryCodes)
	for i := range codes {
		_, _ = rand.Read(codes[i][:]) // never fails: crypto/rand ends the program instead
	}
	return codes
}

// String returns four groups of six letters and digits. It is as secret as a password.
func (c RecoveryCode) String() string {
	digits := base32.StdEncoding.EncodeToString(c[:])
	parts := make([]string, 0, len(digits)/recoveryGroup)
	for len(digits) > 0 {
		parts = append(parts, digits[:recoveryGroup])
		digits = digits[recoveryGroup:]
	}
	return strings.Join(parts, "-")
}

// Hash returns the SHA-256 of the code. Storage contains only a keyed digest of this hash. 120 random bits cannot be
// guessed, so the hash need not be slow.
func (c RecoveryCode) Hash() Digest { return sha256.Sum256(c[:]) }

// ParseRecoveryCode parses a code, ignoring letter case and separators; ok is false if text is not a code.
func ParseRecoveryCode(text string) (code RecoveryCode, ok bool) {
	digits := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(text))
	raw, err := base32.StdEncoding.DecodeString(digits)
	if err != nil || len(raw) != len(code) || len(text) > 64 {
		return RecoveryCode{}, false
	}
	return RecoveryCode(raw), true
}
