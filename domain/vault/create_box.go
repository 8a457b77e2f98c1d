package vault

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// CreateBox creates a box and returns its name. The caller becomes its owner and a boxadmin with all permissions. Errors:
// Conflict with code box_exists when the name is taken, and limit_reached when the caller owns too many boxes.
func (s *Service) CreateBox(ctx context.Context, by domain.Requester, box string) (domain.BoxName, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, "", anyCaller)
	if err != nil {
		return "", err
	}
	name, err := domain.ParseBoxName(box)
	if err != nil {
		return "", err
	}
	var salt domain.BoxSalt
	_, _ = rand.Read(salt[:]) // cannot fail: crypto/rand ends the process instead
	err = s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock on the user serialises the creation of boxes by the same user, so that the limit holds.
		if _, err := repos.Users.Lock(ctx, access.Caller.Name); errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted concurrently
		} else if err != nil {
			return err
		}
		access, err := s.authorize(ctx, repos, by, "", anyCaller)
		if err != nil {
			return err
		}
		owner := access.Caller
		if err := s.checkQuota(ctx, repos, owner.UserID, owner.Role); err != nil {
			return err
		}
		now := s.config.Clock.Now()
		access.Box = domain.Box{
			ID:        s.config.IDs.New(),
			Name:      name,
			Owner:     owner.UserID,
			Salt:      salt,
			CreatedAt: now,
			UpdatedAt: now,
		}
		if err := repos.Boxes.Add(ctx, access.Box); err != nil {
			return err
		}
		if err := repos.BoxUsers.Add(ctx, domain.NewBoxOwner(access.Box.ID, owner.UserID, owner.Name)); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionCreateBox, by, access))
	})
	return name, err
}

// checkQuota refuses one more box for a user who owns the maximum. The caller holds the lock on the user.
func (s *Service) checkQuota(ctx context.Context, repos ports.Repos, user domain.UserID, role domain.Role) error {
	owned, err := repos.Boxes.OwnedBy(ctx, user)
	if err != nil {
		return err
	}
	return domain.CheckBoxQuota(role, len(owned), s.config.MaxBoxesPerUser)
}
