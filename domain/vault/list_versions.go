package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListVersions returns the stored versions of an entry, newest first. The versions of a deleted entry are listed until
// the janitor deletes them. It requires readEntryKeys.
func (s *Service) ListVersions(ctx context.Context, by domain.Requester, box, key string) ([]domain.EntryVersion,
	error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, permission(domain.ReadEntryKeys))
	if err != nil {
		return nil, err
	}
	// An invalid key gets the same answer as one that does not exist.
	entryKey, err := domain.ParseEntryKey(key)
	if err != nil {
		return nil, domain.ErrEntryNotFound
	}
	return s.config.Store.Read().Entries.Versions(ctx, access.Box.ID, entryKey)
}
