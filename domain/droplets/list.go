package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// List returns the droplets that the host has now, newest first; for viewers.
func (s *Service) List(ctx context.Context, by domain.Requester) ([]domain.Droplet, error) {
	if _, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupViewer); err != nil {
		return nil, err
	}
	if s.Host == nil {
		return nil, domain.ErrNoDropletHost
	}
	return s.look(ctx, by)
}
