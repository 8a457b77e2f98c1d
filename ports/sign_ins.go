package ports

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// SignIns stores successful sign-ins. Because a client waits for every round trip of a sign-in, SignIns sends all
// statements on sessions, token families and TOTP secrets to the database together.
type SignIns interface {
	// Open stores a sign-in and locks the counters of its attempt, in one round trip. It must run in a transaction.
	// After an error, the caller must roll back the transaction. Errors: ErrCodeUsed; Unauthenticated when the user was
	// deleted concurrently; ErrStaleServerKey; ErrStartOver.
	Open(ctx context.Context, in OpenedSignIn) (AttemptState, error)
}

// ErrCodeUsed means that a TOTP code or a recovery code was used before, or that its secret was deleted.
var ErrCodeUsed = errors.New("the code was used before")

// OpenedSignIn is a sign-in to be stored. Exactly one of Session and Family is set.
type OpenedSignIn struct {
	At time.Time
	// Code is the code to mark as used. It is zero for a sign-in without a code.
	Code UsedCode
	// Rehashed replaces the stored password hash with a hash that has the current parameters. The replacement has no
	// effect if the stored hash was replaced meanwhile, or if the server key was retired. Zero means no change.
	Rehashed PasswordChange
	Session  *domain.Session
	Family   *domain.TokenFamily
	// Pair is the first pair of Family.
	Pair domain.TokenPair
	// Counters are the keys of the counters that Open locks. The result of Open contains the state of these counters.
	Counters []CounterKey
}

// UsedCode is a code that signs in: a TOTP code of a time step, or a recovery code.
type UsedCode struct {
	ID       domain.TOTPID
	Step     int64
	Recovery domain.Digest
}

// PasswordChange is a stored password and the password that replaces it.
type PasswordChange struct{ Was, Next SealedPassword }
