package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// DescribeBoxUser returns the role, state and permissions of a member. Boxadmins of the box, admins and the member may
// call it.
func (s *Service) DescribeBoxUser(ctx context.Context, by domain.Requester, box, username string) (domain.BoxUser,
	error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		name = "" // no caller has the empty name, so only those who manage the box learn that the name is invalid
	}
	inspect := func(access domain.Access) error { return access.Inspect(name) }
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, inspect)
	if err != nil {
		return domain.BoxUser{}, err
	}
	return member(ctx, s.config.Store.Read(), access.Box, username)
}
