package vault

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListEntries returns the keys of a box that have a value and begin with prefix, sorted. It requires readEntryKeys.
func (s *Service) ListEntries(ctx context.Context, by domain.Requester, box, prefix string) ([]domain.EntryKey, error) {
	access, err := s.authorize(ctx, s.config.Store.Read(), by, box, permission(domain.ReadEntryKeys))
	if err != nil {
		return nil, err
	}
	// Parse the prefix after the authorisation, so that an invalid prefix does not reveal whether the box exists.
	begin, err := domain.ParseKeyPrefix(prefix)
	if err != nil {
		return nil, err
	}
	return s.config.Store.Read().Entries.Keys(ctx, access.Box.ID, begin)
}
