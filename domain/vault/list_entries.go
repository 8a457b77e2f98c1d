package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListEntries returns the keys of a box that begin with prefix, sorted.
func (s *Service) ListEntries(ctx context.Context, by domain.Requester, box, prefix string) ([]domain.EntryKey, error) {
	access, err := s.access(ctx, s.Store.Read(), by, box, permission(domain.ReadEntryKeys))
	if err != nil {
		return nil, err
	}
	begin, err := domain.ParseKeyPrefix(prefix)
	if err != nil {
		return nil, err
	}
	return s.Store.Read().Entries.Keys(ctx, access.Box.ID, begin)
}

// permission decides for callers who have these permissions in the box.
func permission(wanted domain.Permissions) decision {
	return func(access domain.Access) error { return access.Use(wanted) }
}
