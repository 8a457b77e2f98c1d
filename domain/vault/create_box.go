package vault

import (
	"context"
	"crypto/rand"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// CreateBox creates a box and returns its name. The caller becomes the owner of the box and a boxadmin with all
// permissions. CreateBox returns an error of kind Conflict with code box_exists if the name is taken, or with code
// limit_reached if the caller owns too many boxes.
func (s *Service) CreateBox(ctx context.Context, by domain.Requester, box string) (domain.BoxName, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, "", anyCaller)
	if err != nil {
		return "", err
	}
	name, err := domain.ParseBoxName(box)
	if err != nil {
		return "", err
	}
	// The salt is stored with the box and is not secret. Each box has its own salt, so the same passphrase gives
	// different keys in two boxes.
	var salt domain.BoxSalt
	_, _ = rand.Read(salt[:]) // cannot fail: crypto/rand ends the process instead
	return name, s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock on the user prevents concurrent changes of the number of boxes that the user owns. Without the lock,
		// concurrent requests could exceed the limit together.
		if _, err := repos.Users.Lock(ctx, access.Caller.Name); errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted concurrently
		} else if err != nil {
			return err
		}
		// The credential may have been revoked while the transaction waited for the lock.
		access, err := s.authorize(ctx, repos, by, "", anyCaller)
		if err != nil {
			return err
		}
		return s.addBox(ctx, repos, by, access, domain.Box{Name: name, Salt: salt})
	})
}

// addBox inserts a box with its owner as the first member. It returns an error if the owner owns too many boxes
// already. The caller must hold the lock on the owner. If two concurrent requests create a box with the same name, one
// of them gets an error with code box_exists.
func (s *Service) addBox(ctx context.Context, repos ports.Repos, by domain.Requester, access domain.Access,
	box domain.Box) error {
	owner, now := access.Caller, s.config.Clock.Now()
	if err := s.checkQuota(ctx, repos, owner.UserID, owner.Role); err != nil {
		return err
	}
	box.ID, box.Owner = s.config.IDs.New(), owner.UserID
	box.CreatedAt, box.UpdatedAt = now, now
	if err := repos.Boxes.Add(ctx, box); err != nil {
		return err
	}
	first := domain.NewBoxOwner(box.ID, owner.UserID, owner.Name)
	if err := repos.BoxUsers.Add(ctx, first); err != nil {
		return err
	}
	access.Box = box
	return repos.Events.Append(ctx, s.event(domain.ActionCreateBox, by, access).
		Changed(domain.Change{Property: domain.PropertyOwner, To: string(owner.Name)}).
		Changed(first.ChangesFrom(domain.BoxUser{})...))
}

// checkQuota returns an error if the user already owns the maximum number of boxes. Admins have no maximum. The caller
// must hold the lock on the user. Without the lock, two concurrent requests could both count the boxes before either of
// them adds a box.
func (s *Service) checkQuota(ctx context.Context, repos ports.Repos, user domain.UserID, role domain.Role) error {
	owned, err := repos.Boxes.OwnedBy(ctx, user)
	if err != nil {
		return err
	}
	return domain.CheckBoxQuota(role, len(owned), s.config.MaxBoxesPerUser)
}
