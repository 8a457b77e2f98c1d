package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TokenClaims is what a signed token says. IssuedAt and ExpiresAt are whole seconds; a zero ExpiresAt means never.
type TokenClaims struct {
	Credential domain.Credential
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// Tokens signs and verifies the tokens that clients hold. The database holds their ids, never the tokens: whether one
// is still good is for the caller to ask there.
type Tokens interface {
	// Mint signs claims under the current server key of their kind and returns the token and that key's id. The same
	// claims under the same key give the same token.
	Mint(ctx context.Context, claims TokenClaims) (token string, key domain.ServerKeyID, err error)
	// MintUnder is Mint under a given key, to show again a token that was handed out before. NotFound when the key
	// is no longer there.
	MintUnder(ctx context.Context, key domain.ServerKeyID, claims TokenClaims) (string, error)
	// Verify checks the signature, that the token was issued here and that it has not expired. Whether it was revoked
	// is not known here. Unauthenticated for everything that is wrong.
	Verify(ctx context.Context, token string) (domain.Credential, error)
	// Identify is Verify for a token that may have expired, so that an old one can still be deleted by itself.
	Identify(ctx context.Context, token string) (domain.Credential, error)
}
