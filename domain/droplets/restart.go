package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Restart stops and starts a droplet and returns the updated list, newest first. Only managers may call it.
func (s *Service) Restart(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	return s.change(ctx, by, domain.ActionRestartDroplet, name, func(ctx context.Context, container string) error {
		return s.config.Host.Restart(ctx, container)
	})
}
