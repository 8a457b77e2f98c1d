package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteEntry asks for an entry's value to go.
type DeleteEntry struct {
	Box       string
	Key       string
	Condition domain.Condition
}

// DeleteEntry deletes the value of an entry. Its versions stay restorable for a time.
func (s *Service) DeleteEntry(ctx context.Context, by domain.Requester, in DeleteEntry) error {
	box, key := parseAddress(in.Box, in.Key)
	facts, err := s.writeFacts(ctx, by, box, key)
	if err != nil {
		return err
	}
	event := s.event(domain.ActionDeleteEntry, by, facts.Access).On(key)
	if err := facts.Access.Use(domain.DeleteEntry); err != nil {
		return s.refused(ctx, event, err)
	}
	if !facts.Entry.Exists() {
		return domain.ErrEntryNotFound
	}
	if err := in.Condition.Check(facts.Entry); err != nil {
		return err
	}
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		now := s.Clock.Now()
		if err := repos.Entries.CountOut(ctx, facts.Entry.Box, now); err != nil {
			return err
		}
		locked, err := s.lockEntry(ctx, repos, facts, key, domain.DeleteEntry)
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
		entry.Deleted, entry.UpdatedAt = true, now
		if err := repos.Entries.MarkDeleted(ctx, entry); err != nil {
			return err
		}
		return repos.Events.Append(ctx, event)
	})
	return s.refused(ctx, event, err)
}
