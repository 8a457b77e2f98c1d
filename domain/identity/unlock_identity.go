package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// LockedIdentity is the caller's own locked identity. An attacker who obtains it can test guesses of its passphrase
// offline.
type LockedIdentity struct {
	Locked      []byte
	Fingerprint domain.Fingerprint
}

// UnlockIdentity returns the caller's locked identity, after it has committed an audit event. It requires a recent
// sign-in with the password. Errors: Forbidden with code recent_sign_in_required; NotFound with code
// locked_identity_not_found.
func (s *Service) UnlockIdentity(ctx context.Context, by domain.Requester, username string) (LockedIdentity, error) {
	caller, err := s.recentCaller(ctx, by, username, domain.ActionUnlockIdentity)
	if err != nil {
		return LockedIdentity{}, err
	}
	stored, err := s.store.Read().Identities.Locked(ctx, caller.UserID)
	if err != nil {
		return LockedIdentity{}, err
	}
	event := s.gate.Event(domain.ActionUnlockIdentity, by, caller).To(stored.Fingerprint.String())
	locked, err := s.config.Sealer.OpenAccount(ctx, ports.LockedIdentityPurpose, caller.UserID, stored.Sealed)
	if err != nil {
		return LockedIdentity{}, s.gate.Refused(ctx, event, err)
	}
	return LockedIdentity{Locked: locked, Fingerprint: stored.Fingerprint}, s.gate.Audit(ctx, event)
}
