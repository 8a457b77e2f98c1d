package vault

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// CreateBox makes a box that the caller owns, with all permissions, and returns its name. Conflict with code
// box_exists when the name is taken, limit_reached when the caller owns too many.
func (s *Service) CreateBox(ctx context.Context, by domain.Requester, box string) (domain.BoxName, error) {
	access, err := s.access(ctx, s.Store.Read(), by, "", anybody)
	if err != nil {
		return "", err
	}
	name, err := domain.ParseBoxName(box)
	if err != nil {
		return "", err
	}
	var salt domain.BoxSalt
	_, _ = rand.Read(salt[:]) // never fails: crypto/rand ends the program rather
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The user's row orders this against other boxes of the same user, whose number is limited.
		if _, err := repos.Users.Lock(ctx, access.Caller.Name); errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted at the same moment
		} else if err != nil {
			return err
		}
		access, err := s.access(ctx, repos, by, "", anybody)
		if err != nil {
			return err
		}
		owner := access.Caller
		if err := s.checkQuota(ctx, repos, owner.UserID, owner.Role); err != nil {
			return err
		}
		now := s.Clock.Now()
		access.Box = domain.Box{
			ID:        s.IDs.New(),
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

// anybody decides for every authenticated caller.
func anybody(domain.Access) error { return nil }

func (s *Service) checkQuota(ctx context.Context, repos ports.Repos, user domain.UserID, role domain.Role) error {
	owned, err := repos.Boxes.OwnedBy(ctx, user)
	if err != nil {
		return err
	}
	return domain.CheckBoxQuota(role, len(owned), s.MaxBoxesPerUser)
}
