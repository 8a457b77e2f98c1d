package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// LockIdentity stores the text argument as the caller's locked identity: the caller's current identity, locked under a
// passphrase. It replaces an earlier locked identity. It requires a recent sign-in with the password.
//
// Errors: Forbidden with code recent_sign_in_required; Invalid with code locked_identity_invalid; NotFound with code
// identity_not_found.
func (s *Service) LockIdentity(ctx context.Context, by domain.Requester, username, text string) error {
	caller, err := s.recentCaller(ctx, by, username, domain.ActionLockIdentity)
	if err != nil {
		return err
	}
	locked, err := domain.ParseLockedIdentity(text)
	if err != nil {
		return err
	}
	return s.changeOwnIdentity(ctx, by, caller, domain.ActionLockIdentity,
		func(ctx context.Context, repos ports.Repos, user domain.User) (domain.Fingerprint, error) {
			identity, err := repos.Identities.Current(ctx, user.ID)
			if err != nil {
				return domain.Fingerprint{}, err
			}
			return identity.Fingerprint, s.putLocked(ctx, repos, identity, locked)
		})
}
