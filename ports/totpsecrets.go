package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TOTPPurpose binds a sealed code secret to what it is (see AccountSealer).
const TOTPPurpose = "totp"

// SealedTOTPSecret is a one-time code with its secret as it is stored.
type SealedTOTPSecret struct {
	Code      domain.TOTPSecret
	ServerKey domain.ServerKeyID
	Sealed    []byte
}

// SignIn is what the database has of somebody who says to be that user. Code is zero where the user has none in force.
type SignIn struct {
	User     domain.User
	Password SealedPassword
	Code     SealedTOTPSecret
}

// TOTPSecrets stores the secrets of one-time codes, and which codes are spent.
type TOTPSecrets interface {
	// Put stores a code with its recovery codes, in place of the user's other one that is, or is not, pending likewise.
	// ErrStaleServerKey.
	Put(ctx context.Context, code SealedTOTPSecret, recovery []domain.Digest) error
	// Get returns the code of a user that is pending, or the one in force. NotFound with code totp_not_found.
	Get(ctx context.Context, user domain.UserID, pending bool) (SealedTOTPSecret, error)
	// Accept spends the codes up to a step, and confirms a code that was not confirmed yet. It reports false when they
	// were spent already, and when the code is gone.
	Accept(ctx context.Context, id domain.TOTPID, step int64, now time.Time) (bool, error)
	// SpendRecovery deletes a recovery code; false when there is none.
	SpendRecovery(ctx context.Context, id domain.TOTPID, hash domain.Digest) (bool, error)
	// Promote puts the user's pending code in force.
	Promote(ctx context.Context, user domain.UserID) error
	// Delete removes all codes of a user and reports whether there were any.
	Delete(ctx context.Context, user domain.UserID) (bool, error)
}

// TokenFamilies stores sign-ins whose tokens are opaque.
type TokenFamilies interface {
	// Add inserts a family. Unauthenticated when the user was deleted at the same moment.
	Add(ctx context.Context, family domain.TokenFamily) error
	// AddPair inserts a pair of a family.
	AddPair(ctx context.Context, pair domain.TokenPair) error
	// LockByRefresh makes this transaction the only one that changes the family to which a refresh token belongs, and
	// returns it with the pair of that token. NotFound when there is no such token.
	LockByRefresh(ctx context.Context, refresh domain.Digest) (domain.TokenFamily, domain.TokenPair, error)
	// Spend ends a pair, whose tokens are known as spent from now on.
	Spend(ctx context.Context, pair domain.CredentialID, now time.Time) error
	// Revoke ends a family.
	Revoke(ctx context.Context, family domain.FamilyID, now time.Time) error
}
