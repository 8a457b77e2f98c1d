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
	// Expiry is the time when the key expires, in one of the forms that domain.ParseExpiry accepts. An empty Expiry
	// means that the key does not expire.
	Expiry string
	// Name is a note for the user; it may be empty.
	Name string
}

// IssueAPIKey creates an API key and returns it. The key is shown only in this result. IssueAPIKey authenticates the
// caller a second time, under the lock on the account. A concurrent deactivation therefore either revokes the new key
// or prevents its creation.
//
// If the user has too many keys, the error has the kind Conflict and the code limit_reached.
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
		// The result of CapAPIKeyExpiry depends on the caller's credential, so the argument must be the caller that was
		// read under the lock.
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

// checkAPIKeyQuota returns an error if the user has the maximum number of API keys. The caller must hold the lock on
// the user, so that no other transaction adds a key before the commit.
func checkAPIKeyQuota(ctx context.Context, repos ports.Repos, user domain.UserID) error {
	count, err := repos.APIKeys.Count(ctx, user)
	if err != nil {
		return err
	}
	return domain.CheckAPIKeyQuota(count)
}
