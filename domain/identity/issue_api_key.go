package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// IssueAPIKey asks for a new API key of the caller. Expiry is read by domain.ParseExpiry; empty means never.
type IssueAPIKey struct {
	Expiry string
	Name   string
}

// IssueAPIKey returns a new API key. The caller is looked up under the lock on its account: a deactivation, which ends
// all keys, must not be outlived by one that is made at the same moment.
func (s *Service) IssueAPIKey(ctx context.Context, by domain.Requester, in IssueAPIKey) (apiKey string, err error) {
	caller, err := s.authenticated(ctx, s.Store.Read(), by)
	if err != nil {
		return "", err
	}
	name, err := domain.ParseAPIKeyName(in.Name)
	if err != nil {
		return "", err
	}
	var expiry time.Time
	if in.Expiry != "" {
		if expiry, err = domain.ParseExpiry(in.Expiry, s.Clock.Now()); err != nil {
			return "", err
		}
	}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.Users.Lock(ctx, caller.Name); errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted at the same moment
		} else if err != nil {
			return err
		}
		caller, err := s.authenticated(ctx, repos, by)
		if err != nil {
			return err
		}
		if err := s.checkAPIKeyQuota(ctx, repos, caller.UserID); err != nil {
			return err
		}
		key := domain.APIKey{
			ID:        s.IDs.New(),
			User:      caller.UserID,
			Name:      name,
			CreatedAt: s.Clock.Now(),
			ExpiresAt: domain.CapAPIKeyExpiry(expiry, caller),
		}
		if apiKey, err = s.addAPIKey(ctx, repos, key); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionCreateAPIKey, by, caller).To(key.ID.String()))
	})
	return apiKey, err
}

func (s *core) checkAPIKeyQuota(ctx context.Context, repos ports.Repos, user domain.UserID) error {
	count, err := repos.APIKeys.Count(ctx, user)
	if err != nil {
		return err
	}
	return domain.CheckAPIKeyQuota(count)
}
