package droplets

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// Start starts a droplet and returns the updated list, newest first; for managers. It is no error when it runs already.
func (s *Service) Start(ctx context.Context, by domain.Requester, name string) ([]domain.Droplet, error) {
	return s.act(ctx, by, domain.ActionStartDroplet, name, func(ctx context.Context, container string) error {
		return s.Host.Start(ctx, container)
	})
}
