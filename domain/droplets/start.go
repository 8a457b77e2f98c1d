package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Start starts a droplet and returns the updated list, newest first. Only managers may call it. Starting a running
// droplet is not an error.
func (s *Service) Start(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	return s.change(ctx, by, domain.ActionStartDroplet, name, func(ctx context.Context, container string) error {
		return s.config.Host.Start(ctx, container)
	})
}
