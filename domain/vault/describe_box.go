package vault

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// BoxDescription is what the users of a box, and admins, see of it.
type BoxDescription struct {
	Box   domain.Box
	Owner domain.UserName
	// UpdatedAt is the latest change of the box itself or of any of its entries.
	UpdatedAt time.Time
	// Keys is empty when the caller may not read them.
	Keys  []domain.EntryKey
	Users []domain.BoxUser
}

// DescribeBox returns what is to be seen of a box.
func (s *Service) DescribeBox(ctx context.Context, by domain.Requester, box string) (BoxDescription, error) {
	repos := s.Store.Read()
	access, err := s.access(ctx, repos, by, box, domain.Access.See)
	if err != nil {
		return BoxDescription{}, err
	}
	seen := BoxDescription{Box: access.Box, Keys: []domain.EntryKey{}}
	if seen.Owner, seen.UpdatedAt, err = repos.Boxes.Describe(ctx, access.Box.ID); err != nil {
		return BoxDescription{}, err
	}
	if seen.Users, err = repos.BoxUsers.List(ctx, access.Box.ID); err != nil {
		return BoxDescription{}, err
	}
	if access.SeesKeys() {
		seen.Keys, err = repos.Entries.Keys(ctx, access.Box.ID, "")
	}
	return seen, err
}
