// Package vault holds the use cases of boxes, of their users and of entries. One file is one verb.
//
// Every use case takes the requester as an argument, looks up what the database has of it and of the box now, decides,
// and only then acts. A change decides again under the lock that orders it against others.
package vault

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Config is what the use cases need. All parts are required; a limit of 0 is none.
type Config struct {
	Store   ports.Store
	Reader  ports.EntryReader
	Writer  ports.EntryWriter
	Events  ports.EventWriter
	Sealer  ports.EntrySealer
	Digests ports.Digests
	Clock   ports.Clock
	IDs     ports.IDs

	MaxValueBytes    int
	MaxEntriesPerBox int
	MaxUsersPerBox   int
	MaxBoxesPerUser  int
	// Throttle says how many wrong encryption keys are free for a caller and a box.
	Throttle domain.RateLimits
	// KeepVersions is how many versions of an entry are kept.
	KeepVersions int
}

// Service is the use cases of boxes. It is safe for concurrent use.
type Service struct{ Config }

// New returns the use cases.
func New(config Config) *Service { return &Service{config} }

// decision is one of the methods of domain.Access.
type decision func(domain.Access) error

// access looks up the caller before a box and decides. A name that no box can have is that of a box that is not there.
func (s *Service) access(ctx context.Context, repos ports.Repos, by domain.Requester, box string,
	decide decision) (domain.Access, error) {
	name, err := domain.ParseBoxName(box)
	if err != nil {
		name = ""
	}
	access, err := repos.Callers.Access(ctx, by.Credential, name)
	if err != nil {
		return domain.Access{}, err
	}
	if err := access.Caller.Authenticate(s.Clock.Now()); err != nil {
		return domain.Access{}, err
	}
	return access, decide(access)
}

// change runs fn in a transaction that holds the box, with the caller's access as it is then. The decision comes
// twice: before the lock, so that nobody locks a box that is not theirs to change, and under it.
func (s *Service) change(ctx context.Context, by domain.Requester, box string, decide decision,
	fn func(ctx context.Context, repos ports.Repos, access domain.Access) error) error {
	access, err := s.access(ctx, s.Store.Read(), by, box, decide)
	if err != nil {
		return err
	}
	return s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Boxes.Lock(ctx, access.Box.ID); err != nil {
			return err
		}
		access, err := s.access(ctx, repos, by, box, decide)
		if err != nil {
			return err
		}
		return fn(ctx, repos, access)
	})
}

func (s *Service) event(action domain.Action, by domain.Requester, access domain.Access) domain.Event {
	return domain.NewEvent(s.IDs.New(), action, by, access.Caller, s.Clock.Now()).About(access.Box)
}

// refused puts it on record when somebody known was refused an entry, or when what is stored was tampered with, and
// returns the error that the request ends with.
func (s *Service) refused(ctx context.Context, event domain.Event, cause error) error {
	outcome := domain.OutcomeDenied
	switch {
	case cause == nil:
		return nil
	case ports.IsTampered(cause):
		outcome = domain.OutcomeTampered
	case !errors.Is(cause, domain.Forbidden) && !errors.Is(cause, domain.ErrBoxNotFound):
		return cause
	}
	if err := s.Events.Write(ctx, event.Ended(outcome)); err != nil {
		return errors.Join(err, cause)
	}
	return cause
}

// boxUser returns a user of the box by name. A name that no user can have is that of a user who is not in it.
func (s *Service) boxUser(ctx context.Context, repos ports.Repos, box domain.Box, username string) (domain.BoxUser,
	error) {
	name, err := domain.ParseUserName(username)
	if err != nil {
		return domain.BoxUser{}, domain.ErrBoxUserNotFound
	}
	return repos.BoxUsers.Get(ctx, box.ID, name)
}
