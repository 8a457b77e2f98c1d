package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// newUser checks the name and the password of a new user and hashes the password. Hashing is slow, so call newUser
// before the transaction. It stores nothing.
func (s *core) newUser(ctx context.Context, username, password string, role domain.Role) (domain.User, []byte, error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.User{}, nil, err
	}
	secret, err := domain.ParseNewPassword(password, s.config.MinPasswordLength)
	if err != nil {
		return domain.User{}, nil, err
	}
	defer secret.Clear()
	phc, err := s.config.Passwords.Hash(ctx, secret)
	// Read the clock after hashing, because hashing may wait in a queue.
	user := domain.NewUser(s.ids.New(), name, role, s.clock.Now())
	user.Spelling = username
	return user, phc, err
}

// addUser stores a new user and its first API key, and returns that key.
func (s *core) addUser(ctx context.Context, repos ports.Repos, user domain.User, phc []byte) (string, error) {
	password, err := s.sealPassword(ctx, user.ID, phc)
	if err != nil {
		return "", err
	}
	if err := repos.Users.Add(ctx, user, password); err != nil {
		return "", err
	}
	return s.addAPIKey(ctx, repos, domain.APIKey{ID: s.ids.New(), User: user.ID, CreatedAt: s.clock.Now()})
}

// newUserChanges returns the changes for the audit event of a user that addUser stores.
func newUserChanges(user domain.User) []domain.Change {
	return append(user.ChangesFrom(domain.User{}), domain.PasswordChange(false), domain.APIKeyIssued())
}

// addAPIKey stores the claims of an API key and returns the signed key, which is not stored.
func (s *core) addAPIKey(ctx context.Context, repos ports.Repos, key domain.APIKey) (string, error) {
	token, signedBy, err := s.config.Tokens.Mint(ctx, apiKeyClaims(key))
	if err != nil {
		return "", err
	}
	key.SignedBy = signedBy
	return token, repos.APIKeys.Add(ctx, key)
}

// apiKeyClaims returns the claims of an API key. They depend only on stored data. The server can therefore compute the
// same signed key again later.
func apiKeyClaims(key domain.APIKey) ports.TokenClaims {
	return ports.TokenClaims{
		Credential: domain.Credential{Kind: domain.APIKeyCredential, ID: key.ID, User: key.User},
		IssuedAt:   key.CreatedAt,
		ExpiresAt:  key.ExpiresAt,
	}
}
