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

// TOTPSecret is what is kept of the secret that a user's authenticator app makes codes from, besides the secret.
type TOTPSecret struct {
	ID   TOTPID
	User UserID
	// Pending: enrolled and not confirmed yet; whatever was in force before still is.
	Pending bool
	// Own: its user enrolled it, and nobody is shown it again.
	Own bool
	// ConfirmedAt is when the first code was accepted; zero means not yet.
	ConfirmedAt time.Time
	// LastStep is the step of the last code that was accepted. Codes up to it are spent.
	LastStep  int64
	CreatedAt time.Time
}

// Confirmed reports whether a code was accepted already, so that signing in with a password wants one from now on.
func (c TOTPSecret) Confirmed() bool { return !c.ConfirmedAt.IsZero() }

// Showable decides whether the secret may be shown again: until the first code was accepted, and never one that its
// user enrolled.
func (c TOTPSecret) Showable() error {
	if c.Own || c.Confirmed() {
		return ErrSecretHidden
	}
	return nil
}

const (
	// RecoveryCodes is how many recovery codes an enrolment comes with.
	RecoveryCodes     = 10
	recoveryCodeBytes = 15 // 120 bits, 24 digits of base32
	recoveryGroup     = 6
)

// RecoveryCode stands in for a code, once, where the phone is lost.
type RecoveryCode [recoveryCodeBytes]byte

// NewRecoveryCodes makes the recovery codes of an enrolment.
func NewRecoveryCodes() []RecoveryCode {
	codes := make([]RecoveryCode, RecoveryCodes)
	for i := range codes {
		_, _ = rand.Read(codes[i][:]) // never fails: crypto/rand ends the program rather
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

// Digest returns what is kept of the code. With 120 random bits there is nothing to guess, and so nothing to slow down.
func (c RecoveryCode) Digest() Digest { return sha256.Sum256(c[:]) }

// ParseRecoveryCode reads a code in any letter case, with or without the separators; ok is false for what is none.
func ParseRecoveryCode(text string) (code RecoveryCode, ok bool) {
	digits := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(text))
	raw, err := base32.StdEncoding.DecodeString(digits)
	if err != nil || len(raw) != len(code) || len(text) > 64 {
		return RecoveryCode{}, false
	}
	return RecoveryCode(raw), true
}
