package identity

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// IssueAPIKey is the request for a new API key of the caller.
type IssueAPIKey struct {
	// Expiry is in one of the forms of domain.ParseExpiry. An empty Expiry means that the key never expires.
	Expiry string
	// Name is a note for the user; it may be empty.
	Name string
}

// IssueAPIKey returns a new API key, which is shown only once. The caller is authenticated a second time under the lock
// on the account: a concurrent deactivation, which revokes all keys, must not miss the new key. Errors: Conflict with
// code limit_reached.
func (s *Service) IssueAPIKey(ctx context.Context, by domain.Requester, in IssueAPIKey) (apiKey string, err error) {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return "", err
	}
	name, err := domain.ParseAPIKeyName(in.Name)
	if err != nil {
		return "", err
	}
	var expiry time.Time
	if in.Expiry != "" {
		if expiry, err = domain.ParseExpiry(in.Expiry, s.clock.Now()); err != nil {
			return "", err
		}
	}
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if _, err := repos.Users.Lock(ctx, caller.Name); errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted concurrently
		} else if err != nil {
			return err
		}
		caller, err := s.gate.Caller(ctx, repos, by)
		if err != nil {
			return err
		}
		if err := checkAPIKeyQuota(ctx, repos, caller.UserID); err != nil {
			return err
		}
		// CapAPIKeyExpiry depends on the caller's credential, so it needs the caller that was read under the lock.
		key := domain.APIKey{
			ID:        s.ids.New(),
			User:      caller.UserID,
			Name:      name,
			CreatedAt: s.clock.Now(),
			ExpiresAt: domain.CapAPIKeyExpiry(expiry, caller),
		}
		if apiKey, err = s.addAPIKey(ctx, repos, key); err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionCreateAPIKey, by, caller).To(key.ID.String())
		return repos.Events.Append(ctx, event.Changed(domain.ExpiryChange(nil, &key.ExpiresAt)))
	})
	return apiKey, err
}

// checkAPIKeyQuota counts the user's keys. The lock on the user must be held, so that the count still holds at commit.
func checkAPIKeyQuota(ctx context.Context, repos ports.Repos, user domain.UserID) error {
	count, err := repos.APIKeys.Count(ctx, user)
	if err != nil {
		return err
	}
	return domain.CheckAPIKeyQuota(count)
}
