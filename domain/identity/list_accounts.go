package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ListUsers returns all users, oldest first; for the owner.
func (s Accounts) ListUsers(ctx context.Context, by domain.Requester) ([]domain.User, error) {
	if _, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupOwner); err != nil {
		return nil, err
	}
	return s.Store.Read().Users.List(ctx)
}

// CheckGroup returns nil when the requester may do what members of that group may.
func (s Accounts) CheckGroup(ctx context.Context, by domain.Requester, least domain.Group) error {
	_, err := s.inGroup(ctx, s.Store.Read(), by, least)
	return err
}

// inGroup is authenticated for what only members of a group, or of one that includes it, may do.
func (s *core) inGroup(ctx context.Context, repos ports.Repos, by domain.Requester, least domain.Group) (domain.Caller,
	error) {
	caller, err := s.authenticated(ctx, repos, by)
	if err != nil {
		return domain.Caller{}, err
	}
	return caller, caller.AuthorizeGroup(least)
}
