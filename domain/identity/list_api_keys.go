package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListAPIKeys returns the caller's API keys, oldest first, including expired ones that are not deleted yet.
func (s *Service) ListAPIKeys(ctx context.Context, by domain.Requester) ([]domain.APIKey, error) {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return nil, err
	}
	return s.store.Read().APIKeys.List(ctx, caller.UserID)
}
