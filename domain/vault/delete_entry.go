package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteEntry is the request to delete the value of an entry. The newest version of the entry must satisfy Condition.
type DeleteEntry struct {
	Box       string
	Key       string
	Condition domain.Condition
}

// DeleteEntry deletes the value of an entry. Its versions can be restored until the janitor deletes them. It returns
// ErrEntryNotFound if the entry has no value, and ErrPrecondition if the condition is not satisfied.
func (s *Service) DeleteEntry(ctx context.Context, by domain.Requester, in DeleteEntry) error {
	box, key := parseAddress(in.Box, in.Key)
	snapshot, err := s.lookUpForWrite(ctx, by, box, key)
	if err != nil {
		return err
	}
	event := s.event(domain.ActionDeleteEntry, by, snapshot.Access).On(key)
	if err := snapshot.Access.Use(domain.DeleteEntry); err != nil {
		return s.config.Gate.Refused(ctx, event, err)
	}
	// These checks refuse most bad requests before any lock is taken. They are repeated under the lock.
	if !snapshot.Entry.Exists() {
		return s.refused(ctx, event, snapshot.Access, domain.ErrEntryNotFound)
	}
	if err := in.Condition.Check(snapshot.Entry); err != nil {
		return s.refused(ctx, event, snapshot.Access, err)
	}
	err = s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		now := s.config.Clock.Now()
		// The lock order is box, then entry. CountOut locks the box, so it comes first. If one of the checks below
		// fails, the rollback undoes CountOut.
		if err := repos.Entries.CountOut(ctx, snapshot.Entry.Box, now); err != nil {
			return err
		}
		locked, err := s.lockEntry(ctx, repos, snapshot, domain.DeleteEntry)
		if err != nil {
			return err
		}
		entry := locked.Entry
		if !entry.Exists() {
			return domain.ErrEntryNotFound
		}
		if err := in.Condition.Check(entry); err != nil {
			return err
		}
		// Keep the version number, so that a later write gets the next number.
		entry.Deleted, entry.UpdatedAt = true, now
		if err := repos.Entries.MarkDeleted(ctx, entry); err != nil {
			return err
		}
		return repos.Events.Append(ctx, event)
	})
	return s.refused(ctx, event, snapshot.Access, err)
}
