package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// PutIdentity is the request of [Service.PutIdentity].
type PutIdentity struct {
	Username string
	// Public is the text form of the public identity.
	Public string
	// Locked is the text of the locked identity. If Locked is nil, PutIdentity deletes the locked identity that is
	// already stored.
	Locked *string
}

// PutIdentity stores a public key as the caller's current identity. It requires a recent sign-in with the password. The
// result named first is true if the caller had no identity before. If a box key is wrapped for an earlier identity of
// the caller, a member must change the box key after this call.
//
// Errors:
//
//   - Forbidden with code recent_sign_in_required
//   - Invalid with code identity_invalid
//   - Conflict with code identity_taken
func (s *Service) PutIdentity(ctx context.Context, by domain.Requester, in PutIdentity) (identity domain.Identity,
	first bool, err error) {
	caller, err := s.recentCaller(ctx, by, in.Username, domain.ActionWriteIdentity)
	if err != nil {
		return domain.Identity{}, false, err
	}
	public, err := domain.ParsePublicIdentity(in.Public)
	if err != nil {
		return domain.Identity{}, false, err
	}
	var locked []byte
	if in.Locked != nil {
		if locked, err = domain.ParseLockedIdentity(*in.Locked); err != nil {
			return domain.Identity{}, false, err
		}
	}
	err = s.changeOwnIdentity(ctx, by, caller, domain.ActionWriteIdentity,
		func(ctx context.Context, repos ports.Repos, user domain.User) (domain.Fingerprint, error) {
			identity = domain.NewIdentity(user.ID, public, s.clock.Now())
			var err error
			if first, err = s.replaceIdentity(ctx, repos, &identity); err != nil {
				return domain.Fingerprint{}, err
			}
			if in.Locked != nil {
				return identity.Fingerprint, s.putLocked(ctx, repos, identity, locked)
			}
			_, err = repos.Identities.DeleteLocked(ctx, user.ID)
			return identity.Fingerprint, err
		})
	return identity, first, err
}

// replaceIdentity stores an identity as the user's current identity. The caller must hold the lock on the user. The
// result named first is true if the user had no identity before. If the user had the same public key before,
// replaceIdentity sets identity.CreatedAt to the stored time.
//
// It returns ErrIdentityTaken if another user has the public key, and the error of domain.LimitReached if the user has
// too many identities.
func (s *core) replaceIdentity(ctx context.Context, repos ports.Repos, identity *domain.Identity) (first bool,
	err error) {
	known, err := repos.Identities.ByFingerprint(ctx, identity.Fingerprint)
	switch {
	case err == nil && known.User == identity.User:
		identity.CreatedAt = known.CreatedAt
	case err == nil:
		return false, domain.ErrIdentityTaken
	case !errors.Is(err, domain.NotFound):
		return false, err
	default:
		count, err := repos.Identities.Count(ctx, identity.User)
		if err != nil {
			return false, err
		}
		if count >= domain.MaxIdentities {
			return false, domain.LimitReached("this user cannot have more identities")
		}
		first = count == 0
	}
	return first, repos.Identities.Put(ctx, *identity)
}
