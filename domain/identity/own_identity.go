package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// recentCaller returns the caller if username is the caller's own name and the caller has signed in recently. The
// credential must be a session that is not older than domain.RecentSignIn. Only a sign-in with the password opens a
// session, and no session is ever prolonged. The age of the session is therefore the time since the sign-in. Other
// credentials, such as API keys, are refused.
//
// If the credential is refused, recentCaller appends an audit event of the action, because the request may come from
// the holder of a stolen token.
func (s *core) recentCaller(ctx context.Context, by domain.Requester, username string,
	action domain.Action) (domain.Caller, error) {
	caller, err := s.identityCaller(ctx, by, username)
	if err != nil {
		return domain.Caller{}, err
	}
	recent, err := s.signedInRecently(ctx, caller)
	if err != nil {
		return domain.Caller{}, err
	}
	if !recent {
		event := s.gate.Event(action, by, caller).To(string(caller.Name))
		return domain.Caller{}, s.gate.Refused(ctx, event, domain.ErrRecentSignIn)
	}
	return caller, nil
}

// identityCaller returns the caller if username is the caller's own name. Otherwise it returns an error that does not
// reveal whether a user with that name exists.
func (s *core) identityCaller(ctx context.Context, by domain.Requester, username string) (domain.Caller, error) {
	caller, err := s.gate.Caller(ctx, s.store.Read(), by)
	if err != nil {
		return domain.Caller{}, err
	}
	if name, err := domain.ParseUserName(username); err != nil || caller.Name != name {
		return domain.Caller{}, domain.ErrIdentityItself
	}
	return caller, nil
}

// signedInRecently reports whether the caller's credential is a session that is not older than domain.RecentSignIn.
func (s *core) signedInRecently(ctx context.Context, caller domain.Caller) (bool, error) {
	if caller.Credential.Kind != domain.SessionCredential {
		return false, nil
	}
	created, err := s.store.Read().Sessions.CreatedAt(ctx, caller.Credential.ID)
	return err == nil && s.clock.Now().Sub(created) <= domain.RecentSignIn, err
}

// changeOwnIdentity locks the caller's user, authenticates the caller a second time and runs fn, all in one
// transaction. The transaction then appends the audit event. The target of the event is the fingerprint that fn
// returned.
func (s *core) changeOwnIdentity(ctx context.Context, by domain.Requester, caller domain.Caller, action domain.Action,
	fn func(ctx context.Context, repos ports.Repos, user domain.User) (domain.Fingerprint, error)) error {
	return s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		user, err := repos.Users.Lock(ctx, caller.Name)
		if errors.Is(err, domain.NotFound) {
			return domain.ErrUnauthenticated // deleted concurrently
		}
		if err != nil {
			return err
		}
		caller, err := s.gate.Caller(ctx, repos, by)
		if err != nil {
			return err
		}
		fingerprint, err := fn(ctx, repos, user)
		if err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.gate.Event(action, by, caller).To(fingerprint.String()))
	})
}

// putLocked seals a locked identity under the server key for accounts. It then stores the sealed identity.
func (s *core) putLocked(ctx context.Context, repos ports.Repos, identity domain.Identity, locked []byte) error {
	key, sealed, err := s.config.Sealer.SealAccount(ctx, ports.LockedIdentityPurpose, identity.User, locked)
	if err != nil {
		return err
	}
	return repos.Identities.PutLocked(ctx, ports.SealedIdentity{
		User:        identity.User,
		Fingerprint: identity.Fingerprint,
		ServerKey:   key,
		Sealed:      sealed,
		CreatedAt:   s.clock.Now(),
	})
}

// dropLocked deletes the locked identity of a user. Call it when an admin or an operator sets the user's password. The
// admin or operator knows the new password, and could otherwise sign in as the user and fetch the locked identity. If
// the user had a locked identity, dropLocked appends event to the audit log.
func dropLocked(ctx context.Context, repos ports.Repos, user domain.UserID, event domain.Event) error {
	deleted, err := repos.Identities.DeleteLocked(ctx, user)
	if err != nil || !deleted {
		return err
	}
	return repos.Events.Append(ctx, event)
}
