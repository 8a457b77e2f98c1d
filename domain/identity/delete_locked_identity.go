package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DeleteLockedIdentity deletes the caller's locked identity. The identity itself stays. DeleteLockedIdentity does not
// require a recent sign-in, because a deletion gives an attacker no data. Errors: NotFound with code
// locked_identity_not_found.
func (s *Service) DeleteLockedIdentity(ctx context.Context, by domain.Requester, username string) error {
	caller, err := s.identityCaller(ctx, by, username)
	if err != nil {
		return err
	}
	return s.changeOwnIdentity(ctx, by, caller, domain.ActionDeleteLocked,
		func(ctx context.Context, repos ports.Repos, user domain.User) (domain.Fingerprint, error) {
			stored, err := repos.Identities.Locked(ctx, user.ID)
			if err != nil {
				return domain.Fingerprint{}, err
			}
			_, err = repos.Identities.DeleteLocked(ctx, user.ID)
			return stored.Fingerprint, err
		})
}
