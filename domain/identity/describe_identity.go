package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
)

// OwnedIdentity is the current identity of a user, as a caller sees it.
type OwnedIdentity struct {
	domain.Identity
	// Locked reports whether a locked identity of the user is stored. Locked is nil if the caller is another user.
	Locked *bool
}

// DescribeIdentity returns the current identity of a user. Every caller with a valid credential may call it. Errors:
// NotFound with code identity_not_found, also for a user who does not exist.
func (s *Service) DescribeIdentity(ctx context.Context, by domain.Requester, username string) (OwnedIdentity,
	error) {
	repos := s.store.Read()
	caller, err := s.gate.Caller(ctx, repos, by)
	if err != nil {
		return OwnedIdentity{}, err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return OwnedIdentity{}, domain.ErrIdentityNotFound
	}
	found, err := repos.Identities.CurrentOf(ctx, name)
	described := OwnedIdentity{Identity: found}
	if err != nil || !caller.Is(found.User) {
		return described, err
	}
	_, err = repos.Identities.Locked(ctx, found.User)
	if err != nil && !errors.Is(err, domain.NotFound) {
		return OwnedIdentity{}, err
	}
	locked := err == nil
	described.Locked = &locked
	return described, nil
}
