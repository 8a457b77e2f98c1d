package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// ListAPIKeys returns the stored API keys of the caller, oldest first. Some of them may have expired.
func (s *Service) ListAPIKeys(ctx context.Context, by domain.Requester) ([]domain.APIKey, error) {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return nil, err
	}
	return s.store.Read().APIKeys.List(ctx, caller.UserID)
}
