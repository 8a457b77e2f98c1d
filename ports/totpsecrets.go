package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TOTPPurpose is the purpose under which TOTP secrets are sealed; see AccountSealer.
const TOTPPurpose = "totp"

// SealedTOTPSecret is an enrolled TOTP secret as it is stored.
type SealedTOTPSecret struct {
	Code      domain.TOTPSecret
	ServerKey domain.ServerKeyID
	Sealed    []byte
}

// SignIn holds the stored data that is needed to check a sign-in. Code is zero for a user without a confirmed TOTP
// secret.
type SignIn struct {
	User     domain.User
	Password SealedPassword
	Code     SealedTOTPSecret
}

// TOTPSecrets stores TOTP secrets, and the steps and recovery codes that were used. A user has at most one secret in
// force and one pending secret.
type TOTPSecrets interface {
	// Put stores a secret with its recovery codes. A pending secret replaces the user's pending secret, and any other
	// secret replaces the secret in force. Errors: ErrStaleServerKey.
	Put(ctx context.Context, code SealedTOTPSecret, recovery RecoveryCodes) error
	// Get returns the pending secret of a user, or the secret in force if pending is false. Errors: NotFound with code
	// totp_not_found.
	Get(ctx context.Context, user domain.UserID, pending bool) (SealedTOTPSecret, error)
	// Accept marks all codes up to the given time step as used, and confirms an unconfirmed secret. It reports false
	// when the step was already used or the secret was deleted.
	Accept(ctx context.Context, id domain.TOTPID, step int64, now time.Time) (bool, error)
	// SpendRecovery deletes the recovery code with the given keyed digest, and reports whether the code existed.
	SpendRecovery(ctx context.Context, id domain.TOTPID, digest domain.Digest) (bool, error)
	// Promote replaces the user's secret in force with the pending secret.
	Promote(ctx context.Context, user domain.UserID) error
	// Delete removes all TOTP secrets of a user and reports whether there were any.
	Delete(ctx context.Context, user domain.UserID) (bool, error)
}

// TokenFamilies stores families of opaque tokens. Each sign-in that returns opaque tokens has one family. Each refresh
// adds a pair of tokens to the family.
type TokenFamilies interface {
	// Add inserts a family. Errors: Unauthenticated when the user was deleted concurrently; ErrStaleServerKey when one
	// of the server keys of the family was retired.
	Add(ctx context.Context, family domain.TokenFamily) error
	// AddPair inserts a pair of a family.
	AddPair(ctx context.Context, pair domain.TokenPair) error
	// LockByRefresh locks the family of a user's refresh token until the transaction ends. It returns the family and
	// the pair of the token. Errors: NotFound for an unknown token, and for a token of another user.
	LockByRefresh(ctx context.Context, user domain.UserID, refresh domain.Digest) (domain.TokenFamily,
		domain.TokenPair, error)
	// Spend marks a pair as used. The tokens of the pair stay stored, so a second use can be detected.
	Spend(ctx context.Context, pair domain.CredentialID, now time.Time) error
	// Revoke ends a family with all its pairs.
	Revoke(ctx context.Context, family domain.FamilyID, now time.Time) error
}
