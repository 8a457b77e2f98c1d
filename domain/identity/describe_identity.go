package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
)

// OwnedIdentity is the result of [Service.DescribeIdentity]: the current identity of a user.
type OwnedIdentity struct {
	domain.Identity
	// Locked reports whether the user has a stored locked identity. It is nil if the user is not the caller.
	Locked *bool
}

// DescribeIdentity returns the current identity of a user. Every caller with a valid credential may call it. If the
// user has no identity or does not exist, it returns an error of kind NotFound with code identity_not_found.
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
