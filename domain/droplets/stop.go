package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Stop stops a droplet and returns the updated list, newest first; for managers. It waits for the droplet's programs to end, and
// is no error when it does not run.
func (s *Service) Stop(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	return s.act(ctx, by, domain.ActionStopDroplet, name, func(ctx context.Context, container string) error {
		return s.Host.Stop(ctx, container)
	})
}
