package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Initialize is the request for the first admin, who becomes the owner of the system.
type Initialize struct {
	// Username is displayed in the letter case of the request. The name of the user is Username in lower case.
	Username string
	Password string
	// Token must be equal to Config.InitToken, unless Config.InitToken is empty.
	Token string
}

// Initialize creates the owner and returns the owner's first API key. Only one request per installation succeeds.
//
// Errors:
//
//   - Conflict with code already_initialized if the system has an owner
//   - Unauthenticated with code init_token_required if the token is missing or wrong
//   - RateLimited after too many wrong tokens
func (s *Service) Initialize(ctx context.Context, by domain.Requester, in Initialize) (apiKey string, err error) {
	if err := s.checkInitToken(ctx, by, in.Token); err != nil {
		return "", err
	}
	// Check for an owner before the slow password hash. The transaction makes this check again while it holds the lock.
	owner, err := s.store.Read().System.Owner(ctx)
	if err != nil {
		return "", err
	}
	if !owner.IsZero() {
		return "", domain.ErrAlreadyInitialized
	}
	user, phc, err := s.newUser(ctx, in.Username, in.Password, domain.RoleAdmin)
	if err != nil {
		return "", err
	}
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		former, err := repos.System.Lock(ctx)
		if err != nil {
			return err
		}
		if !former.IsZero() {
			return domain.ErrAlreadyInitialized
		}
		if apiKey, err = s.addUser(ctx, repos, user, phc); err != nil {
			return err
		}
		if err := repos.System.SetOwner(ctx, user.ID); err != nil {
			return err
		}
		// The new owner is the actor of their own creation.
		actor := domain.Caller{UserID: user.ID, Name: user.Name}
		owner := user
		owner.Group = domain.GroupOwner
		event := s.gate.Event(domain.ActionInitialize, by, actor).To(string(user.Name)).
			Changed(domain.Change{Property: domain.PropertyOwner, To: string(user.Name)}).
			Changed(newUserChanges(owner)...)
		return repos.Events.Append(ctx, event)
	})
	return apiKey, err
}

// errInitToken is the error for a missing or wrong initialization token.
var errInitToken = domain.Refuse(domain.Unauthenticated, "init_token_required",
	"the initialization token is missing or wrong: send the token from the log or the configuration of the server")

// checkInitToken compares the digest of the token with the digest of the configured token. All digests have the same
// length, so the duration of the comparison reveals nothing about the configured token. A wrong token counts as an
// attempt; a missing token does not.
func (s *core) checkInitToken(ctx context.Context, by domain.Requester, token string) error {
	configured := s.config.InitToken.Bytes()
	if len(configured) == 0 {
		return nil
	}
	if token == "" {
		return errInitToken
	}
	attempt, err := s.gate.ReserveInit(ctx, by)
	if err != nil {
		return err
	}
	want, got := sha256.Sum256(configured), sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
		return errInitToken
	}
	s.gate.Release(ctx, attempt)
	return nil
}
