package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListVersions returns what is kept of an entry's history, newest first; of a deleted entry too, while it is kept.
func (s *Service) ListVersions(ctx context.Context, by domain.Requester, box, key string) ([]domain.EntryVersion,
	error) {
	access, err := s.access(ctx, s.Store.Read(), by, box, permission(domain.ReadEntryKeys))
	if err != nil {
		return nil, err
	}
	entryKey, err := domain.ParseEntryKey(key)
	if err != nil {
		return nil, domain.ErrEntryNotFound
	}
	return s.Store.Read().Entries.Versions(ctx, access.Box.ID, entryKey)
}
