package identity

import (
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// TokenPair is the pair of opaque tokens that a client of the accounts API receives.
type TokenPair struct {
	Access, Refresh domain.OpaqueToken
	// ExpiresIn is how long the access token is valid, in whole seconds.
	ExpiresIn time.Duration
}

// newTokenPair creates the next access token and refresh token of a token family. The first result contains the tokens,
// for the client. The second result contains the digests of these tokens, for the database.
//
// It returns ErrRefreshToken if the family has expired or was revoked, if its user is inactive, if the user's sessions
// were revoked, or if a server key of the family was replaced.
func (s *core) newTokenPair(family domain.TokenFamily, user domain.User) (TokenPair, domain.TokenPair, error) {
	tokens := TokenPair{Access: domain.NewOpaqueToken(user.ID), Refresh: domain.NewOpaqueToken(user.ID)}
	digests, keys := s.config.TokenDigests.Tokens(tokens.Access, tokens.Refresh)
	pair := domain.TokenPair{ID: s.ids.New(), Access: digests[0], Refresh: digests[1]}
	pair, err := family.NextPair(pair, user, keys, s.clock.Now(), s.config.AccessTTL)
	if err != nil {
		return TokenPair{}, domain.TokenPair{}, err
	}
	tokens.ExpiresIn = pair.Life()
	return tokens, pair, nil
}

// OpaqueCredential returns the credential of an opaque token. It does not query the database. It cannot distinguish
// access tokens from refresh tokens, so the kind of the result is always AccessTokenCredential.
func (s *Service) OpaqueCredential(token domain.OpaqueToken) domain.Credential {
	digests, _ := s.config.TokenDigests.Tokens(token)
	return domain.Credential{Kind: domain.AccessTokenCredential, User: token.User(), Digest: digests[0]}
}
