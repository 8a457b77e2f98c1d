package identity

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TokenPair is the pair of opaque tokens that a client of the accounts API holds.
type TokenPair struct {
	Access, Refresh domain.OpaqueToken
	// ExpiresIn is how long the access token is valid, in whole seconds.
	ExpiresIn time.Duration
}

// addTokenPair makes the next pair of a family and stores its digests. It returns the pair and the id of its access
// token. Errors: ErrRefreshToken when the family has expired or was revoked, or when its user's sessions were revoked.
func (s *core) addTokenPair(ctx context.Context, repos ports.Repos, family domain.TokenFamily,
	user domain.User) (TokenPair, domain.CredentialID, error) {
	var tokens TokenPair
	_, _ = rand.Read(tokens.Access[:]) // never fails: crypto/rand ends the program instead
	_, _ = rand.Read(tokens.Refresh[:])
	pair := domain.TokenPair{
		ID:      s.ids.New(),
		Access:  tokens.Access.Digest(),
		Refresh: tokens.Refresh.Digest(),
	}
	pair, err := family.NextPair(pair, user, s.clock.Now(), s.config.AccessTTL)
	if err != nil {
		return TokenPair{}, domain.CredentialID{}, err
	}
	tokens.ExpiresIn = pair.Life()
	return tokens, pair.ID, repos.TokenFamilies.AddPair(ctx, pair)
}
