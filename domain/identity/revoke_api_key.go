package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// RevokeAPIKey deletes an API key. The keyOrID argument is either the whole key or its id. Only the user of the key and
// admins may call it.
//
// It returns an error of kind Conflict with code last_api_key if the key is its user's last usable key. It returns an
// error of kind NotFound if the key does not exist or the caller may not see it.
func (s *Service) RevokeAPIKey(ctx context.Context, by domain.Requester, keyOrID string) error {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return err
	}
	id, err := s.apiKeyID(ctx, keyOrID)
	if err != nil {
		return err
	}
	holder, err := apiKeyHolder(ctx, s.store.Read(), id)
	if err != nil {
		return err
	}
	if err := domain.CheckAPIKeyRevoker(caller, holder); err != nil {
		return err
	}
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// Lock the holder of the key. If the caller is an admin, the holder may be another user. The lock serialises
		// the deletion with other changes of the holder's keys.
		if _, err := repos.Users.Lock(ctx, holder.Name); errors.Is(err, domain.NotFound) {
			return domain.ErrAPIKeyNotFound
		} else if err != nil {
			return err
		}
		return s.revokeLocked(ctx, repos, by, id)
	})
}

// apiKeyID returns the id of an API key. The keyOrID argument is either the id itself or the whole key, which may have
// expired.
func (s *core) apiKeyID(ctx context.Context, keyOrID string) (domain.CredentialID, error) {
	if id, ok := domain.ParseID[domain.Credential](keyOrID); ok {
		return id, nil
	}
	credential, err := s.config.Tokens.Identify(ctx, keyOrID)
	switch {
	case errors.Is(err, domain.Unauthenticated) || err == nil && credential.Kind != domain.APIKeyCredential:
		return domain.CredentialID{}, domain.ErrAPIKeyNotFound
	case err != nil:
		return domain.CredentialID{}, err
	}
	return credential.ID, nil
}

// apiKeyHolder returns the user that an API key belongs to.
func apiKeyHolder(ctx context.Context, repos ports.Repos, id domain.CredentialID) (domain.User, error) {
	key, err := repos.APIKeys.Get(ctx, id)
	if err != nil {
		return domain.User{}, err
	}
	holder, err := repos.Users.ByID(ctx, key.User)
	if errors.Is(err, domain.NotFound) {
		return domain.User{}, domain.ErrAPIKeyNotFound
	}
	return holder, err
}

// revokeLocked authorises the caller a second time and deletes the key. The transaction must hold the lock on the key's
// holder. Without this lock, two concurrent requests could delete the holder's last two keys.
func (s *core) revokeLocked(ctx context.Context, repos ports.Repos, by domain.Requester, id domain.CredentialID) error {
	caller, err := s.gate.Caller(ctx, repos, by)
	if err != nil {
		return err
	}
	holder, err := apiKeyHolder(ctx, repos, id)
	if err != nil {
		return err
	}
	if err := domain.CheckAPIKeyRevoker(caller, holder); err != nil {
		return err
	}
	keys, err := repos.APIKeys.List(ctx, holder.ID)
	if err != nil {
		return err
	}
	if err := domain.CheckRevocable(id, keys, s.clock.Now()); err != nil {
		return err
	}
	if err := repos.APIKeys.Delete(ctx, id); err != nil {
		return err
	}
	event := s.gate.Event(domain.ActionDeleteAPIKey, by, caller).To(id.String())
	for _, key := range keys {
		if key.ID == id {
			event = event.Changed(domain.ExpiryChange(&key.ExpiresAt, nil))
		}
	}
	return repos.Events.Append(ctx, event)
}
