package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListAPIKeys returns the caller's API keys, oldest first, expired ones included.
func (s *Service) ListAPIKeys(ctx context.Context, by domain.Requester) ([]domain.APIKey, error) {
	caller, err := s.authenticated(ctx, s.Store.Read(), by)
	if err != nil {
		return nil, err
	}
	return s.Store.Read().APIKeys.List(ctx, caller.UserID)
}
