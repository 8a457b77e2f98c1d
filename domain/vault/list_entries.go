package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListEntries returns the sorted keys of the entries of a box. It omits deleted entries, and keys that do not begin
// with prefix. It requires the permission readEntryKeys.
func (s *Service) ListEntries(ctx context.Context, by domain.Requester, box, prefix string) ([]domain.EntryKey, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, permission(domain.ReadEntryKeys))
	if err != nil {
		return nil, err
	}
	// Parse the prefix only after the caller is authorised, so that the error for an invalid prefix does not reveal
	// whether the box exists.
	begin, err := domain.ParseKeyPrefix(prefix)
	if err != nil {
		return nil, err
	}
	return s.config.Store.Read().Entries.Keys(ctx, access.Box.ID, begin)
}
