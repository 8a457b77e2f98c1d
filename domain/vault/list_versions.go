package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListVersions returns the stored versions of an entry, newest first. The list contains the versions of a deleted entry
// until the janitor deletes them. ListVersions requires the permission readEntryKeys.
func (s *Service) ListVersions(ctx context.Context, by domain.Requester, box, key string) ([]domain.EntryVersion,
	error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, permission(domain.ReadEntryKeys))
	if err != nil {
		return nil, err
	}
	// For an invalid key, return the same error as for a key that does not exist.
	entryKey, err := domain.ParseEntryKey(key)
	if err != nil {
		return nil, domain.ErrEntryNotFound
	}
	return s.config.Store.Read().Entries.Versions(ctx, access.Box.ID, entryKey)
}
