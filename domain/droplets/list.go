package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// List returns the droplets on the host, newest first. Only viewers and higher groups may call it. Errors:
// ErrGroupTooLow; ErrNoDropletHost; ErrDropletHostUnavailable.
func (s *Service) List(ctx context.Context, by domain.Requester) ([]domain.Droplet, error) {
	if _, err := s.config.Gate.InGroup(ctx, s.config.Store.Read(), by, domain.GroupViewer); err != nil {
		return nil, err
	}
	if s.config.Host == nil {
		return nil, domain.ErrNoDropletHost
	}
	return s.listAndCleanUp(ctx, by)
}
