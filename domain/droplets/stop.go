package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Stop stops a droplet and returns the updated list, newest first. Only managers may call it. It waits until the
// droplet's programs have exited. Stopping a stopped droplet is not an error.
func (s *Service) Stop(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	return s.change(ctx, by, domain.ActionStopDroplet, name, func(ctx context.Context, container string) error {
		return s.config.Host.Stop(ctx, container)
	})
}
