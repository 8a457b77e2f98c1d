package identity

import (
	"context"

	"github.com/lockbox-go/lockbox/domain"
)

// FindIdentity returns the identity with the given fingerprint, even if its user was deleted or has a different
// identity now. Every caller with a valid credential may call it. Errors: NotFound with code identity_not_found.
func (s *Service) FindIdentity(ctx context.Context, by domain.Requester, text string) (domain.Identity, error) {
	if _, err := s.gate.Caller(ctx, s.store.Read(), by); err != nil {
		return domain.Identity{}, err
	}
	fingerprint, ok := domain.ParseFingerprint(text)
	if !ok {
		return domain.Identity{}, domain.ErrIdentityNotFound
	}
	return s.store.Read().Identities.ByFingerprint(ctx, fingerprint)
}
