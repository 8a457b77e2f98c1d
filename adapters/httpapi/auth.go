package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// lookupTimeout bounds the lookup of a caller after an unreadable body, which may have cancelled the request. The
// caller still gets a response.
const lookupTimeout = 5 * time.Second

// identify sets the credential of a request from its token, without looking the token up. The credential stays zero if
// the route ignores tokens, or accepts requests without one.
func (a *API) identify(r *request) error {
	if r.route.Auth == AuthNone {
		return nil
	}
	token, err := r.route.contract.token(r)
	if err != nil || token == "" {
		return err
	}
	// The seed of an identity must never reach a server. It is not looked at, logged or audited.
	if strings.Contains(token, domain.IdentitySeedPrefix) {
		return domain.ErrUnauthenticated
	}
	r.by.Credential, err = a.verify(r.ctx(), token)
	return err
}

// verify returns the credential that a token claims. For an opaque token, the credential has the digest of the token,
// which is looked up later. A signed token must have a valid signature and must not have expired; it may still be
// revoked.
func (a *API) verify(ctx context.Context, token string) (domain.Credential, error) {
	if opaque, ok := domain.ParseOpaqueToken(token); ok {
		return a.identity.OpaqueCredential(opaque), nil
	}
	return a.verifySigned(ctx, token)
}

// admitLargeBody authenticates the caller before a large body is read. A signed token may be revoked. A body that is
// already in memory needs no check.
func (a *API) admitLargeBody(r *request) error {
	if r.body.read || !isLarge(r.Request()) || r.by.Credential.IsZero() {
		return nil
	}
	return a.authenticateCaller(r)
}

// refuseInput returns the error for a request whose input is wrong: Unauthenticated or Forbidden if the caller could
// not have succeeded with correct input, and inputErr otherwise. A revoked token must not learn what was wrong with
// its input.
//
// The handler checks the input before the use case looks the caller up. Refused requests therefore need this additional
// lookup; other requests do not.
func (a *API) refuseInput(r *request, inputErr error) error {
	if r.body.unreadable {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx()), lookupTimeout)
		defer cancel()
		r.context = ctx
		r.SetRequest(r.Request().WithContext(ctx))
	}
	if err := a.authenticateCaller(r); err != nil {
		return err
	}
	return inputErr
}

// authenticateCaller looks the caller up, at most once per request, and checks the requirements of the route: a token
// that is not revoked, membership of a group, or the right to create users. It returns nil for routes without a token.
func (a *API) authenticateCaller(r *request) error {
	if r.authenticated {
		return nil
	}
	var err error
	switch {
	case r.route.Group != (domain.Group{}):
		err = a.accounts.CheckGroup(r.ctx(), r.by, r.route.Group)
	case r.route.Auth == AuthToken:
		_, err = a.identity.WhoAmI(r.ctx(), r.by)
	case r.route.Auth == AuthOptional:
		// POST /users is the only such route.
		err = a.identity.CheckMayCreateUsers(r.ctx(), r.by)
	}
	r.authenticated = err == nil
	return err
}
