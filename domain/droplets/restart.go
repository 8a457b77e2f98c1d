package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Restart stops a droplet and starts it again; for managers. It returns the updated list, newest first.
func (s *Service) Restart(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	return s.act(ctx, by, domain.ActionRestartDroplet, name, func(ctx context.Context, container string) error {
		return s.Host.Restart(ctx, container)
	})
}
