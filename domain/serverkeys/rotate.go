package serverkeys

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Rotate wraps all server keys under the current secret and returns their number. The keys themselves do not change, so
// all tokens, passwords and entries stay valid.
func (s *Service) Rotate(ctx context.Context) (int, error) {
	var count int
	err := s.config.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		keys, err := repos.ServerKeys.List(ctx)
		if err != nil {
			return err
		}
		count = len(keys)
		rewrapped, err := s.config.Keyring.Rewrap(keys)
		if err != nil {
			return err
		}
		if err := repos.ServerKeys.Rewrap(ctx, rewrapped); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionRotateSecret, ""))
	})
	return count, err
}
