package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// DescribeBoxUser returns what a user is in a box, to whoever may manage the box and to the user itself.
func (s *Service) DescribeBoxUser(ctx context.Context, by domain.Requester, box, username string) (domain.BoxUser,
	error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		name = "" // nobody's, so that only who may manage the box learns that there is no such user
	}
	access, err := s.access(ctx, s.Store.Read(), by, box, func(a domain.Access) error { return a.Inspect(name) })
	if err != nil {
		return domain.BoxUser{}, err
	}
	return s.boxUser(ctx, s.Store.Read(), access.Box, username)
}
