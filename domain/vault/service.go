// Package vault contains the use cases of boxes, their members and their entries.
//
// Every use case takes the requester as an argument. It looks up the caller and the box, and decides whether the caller
// may act. Before a change, it decides again after it has locked the box or the entry, because access may have been
// revoked while the transaction waited for the lock.
package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// Config contains the dependencies and limits of the use cases. All dependencies are required. If a limit is 0, there
// is no limit.
type Config struct {
	Gate  *gate.Gate
	Store ports.Store
	// Reader and Writer access entries in batches: one SQL statement serves many concurrent requests.
	Reader ports.EntryReader
	Writer ports.EntryWriter
	Sealer ports.EntrySealer
	Clock  ports.Clock
	IDs    ports.IDs
	// Installation identifies the database. Each keyring contains this identifier.
	Installation domain.InstallationID

	// MaxValueBytes limits the size of the JSON text of a value.
	MaxValueBytes int
	// MaxEntriesPerBox limits the number of entries in a box. A deleted entry counts until it can no longer be
	// restored.
	MaxEntriesPerBox int
	// MaxBytesPerBox limits the storage that a box reserves for all versions of its entries; see domain.Room.
	MaxBytesPerBox int64
	// MaxUsersPerBox limits the number of members of a box, including inactive ones.
	MaxUsersPerBox int
	// MaxBoxesPerUser limits the number of boxes that a user owns. Admins have no limit.
	MaxBoxesPerUser int
	// KeepVersions is the number of versions that are kept of each entry.
	KeepVersions int
}

// Service implements the use cases. It also implements ports.DropletVault. It is safe for concurrent use.
type Service struct{ config Config }

// New returns a Service.
func New(config Config) *Service { return &Service{config} }

// decision returns nil if the access permits an action, and an error otherwise. Most decisions are methods of
// domain.Access.
type decision func(domain.Access) error

// anyCaller is the decision for actions that every authenticated caller may take.
func anyCaller(domain.Access) error { return nil }

// permission returns a decision that requires all of the given permissions in the box.
func permission(wanted domain.Permissions) decision {
	return func(access domain.Access) error { return access.Use(wanted) }
}

// authorize looks up the caller and the box, and calls decide. If decide returns an error, authorize returns the access
// together with the error, because the audit event needs the access.
func (s *Service) authorize(ctx context.Context, repos ports.Repos, by domain.Requester, box string,
	decide decision) (domain.Access, error) {
	access, err := s.config.Gate.Access(ctx, repos, by, box)
	if err != nil {
		return domain.Access{}, err
	}
	return access, decide(access)
}

// changeFunc makes a change to a box. [Service.change] calls it in a transaction, with the caller's access.
type changeFunc func(ctx context.Context, repos ports.Repos, access domain.Access) error

// change runs fn in a transaction that locks the box. It calls decide before it takes the lock, so that callers cannot
// lock boxes that they may not change. Under the lock, it looks up the access again, calls decide again, and passes the
// new access to fn.
func (s *Service) change(ctx context.Context, by domain.Requester, box string, decide decision,
	fn changeFunc) error {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, decide)
	if err != nil {
		return err
	}
	return s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Boxes.Lock(ctx, access.Box.ID); err != nil {
			return err
		}
		access, err := s.authorize(ctx, repos, by, box, decide)
		if err != nil {
			return err
		}
		return fn(ctx, repos, access)
	})
}

// membership returns a changeFunc that calls fn and then sets the time of the box's last change. If fn returns an
// error, the time stays unchanged.
func (s *Service) membership(fn changeFunc) changeFunc {
	return func(ctx context.Context, repos ports.Repos, access domain.Access) error {
		if err := fn(ctx, repos, access); err != nil {
			return err
		}
		changed := access.Box
		changed.UpdatedAt = s.config.Clock.Now()
		return repos.Boxes.Save(ctx, changed)
	}
}

// event returns the audit event of an action on a box.
func (s *Service) event(action domain.Action, by domain.Requester, access domain.Access) domain.Event {
	return s.config.Gate.Event(action, by, access.Caller).About(access.Box)
}

// member returns the named member of the box. For an invalid name, it returns the same error as for a user who is not a
// member.
func member(ctx context.Context, repos ports.Repos, box domain.Box, username string) (domain.BoxUser, error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.BoxUser{}, domain.ErrBoxUserNotFound
	}
	return repos.BoxUsers.Get(ctx, box.ID, name)
}
