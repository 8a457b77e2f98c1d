package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TokenClaims is the content of a signed token. IssuedAt and ExpiresAt are whole seconds; a zero ExpiresAt means that
// the token never expires.
type TokenClaims struct {
	Credential domain.Credential
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// Tokens signs and verifies the tokens that clients hold. The database stores the identifiers of tokens, never the
// tokens. Tokens checks signatures only. Even a token with a valid signature may have been revoked, so the caller must
// look the token up in the database.
type Tokens interface {
	// Mint signs claims under the current server key for the kind of the credential. It returns the token and the
	// identifier of this key. The result is deterministic: the same claims under the same key give the same token.
	Mint(ctx context.Context, claims TokenClaims) (token string, key domain.ServerKeyID, err error)
	// MintUnder signs claims under a given server key, to reproduce a token that was issued under this key. Errors:
	// NotFound when the key was deleted.
	MintUnder(ctx context.Context, key domain.ServerKeyID, claims TokenClaims) (string, error)
	// Verify checks the signature, the issuer and the expiry. Errors: Unauthenticated when one of these checks fails.
	Verify(ctx context.Context, token string) (domain.Credential, error)
	// Identify is like Verify, but also accepts expired tokens. It is for a request that revokes an API key and
	// contains the whole key, which may have expired.
	Identify(ctx context.Context, token string) (domain.Credential, error)
}
