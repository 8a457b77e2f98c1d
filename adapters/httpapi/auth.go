package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// lookupTimeout limits the lookup of the caller in refuseInput when the request body could not be read. The lookup does
// not use the context of the request, because the failed read may have cancelled it.
const lookupTimeout = 5 * time.Second

// identify sets the credential of a request from its token. It does not look the token up. The credential stays zero if
// the route ignores tokens, or if an optional token is missing.
func (a *API) identify(r *request) error {
	if r.route.Auth == AuthNone {
		return nil
	}
	token, err := r.route.contract.token(r)
	if err != nil || token == "" {
		return err
	}
	// A client must never send the seed of an identity to a server. A token that contains a seed is refused without
	// being looked up, logged or audited.
	if strings.Contains(token, domain.IdentitySeedPrefix) {
		return domain.ErrUnauthenticated
	}
	r.by.Credential, err = a.verify(r.ctx(), token)
	return err
}

// verify returns the credential that a token claims. For an opaque token, the credential holds the digest of the token.
// The digest is looked up later. A signed token must have a valid signature and must not have expired, but it may be
// revoked.
func (a *API) verify(ctx context.Context, token string) (domain.Credential, error) {
	if opaque, ok := domain.ParseOpaqueToken(token); ok {
		return a.identity.OpaqueCredential(opaque), nil
	}
	return a.verifySigned(ctx, token)
}

// admitLargeBody authenticates the caller before a large body is read. A caller with a revoked token must not use
// memory for a large body. If the body is already in memory, admitLargeBody does nothing.
func (a *API) admitLargeBody(r *request) error {
	if r.body.read || !isLarge(r.Request()) || r.by.Credential.IsZero() {
		return nil
	}
	return a.authenticateCaller(r)
}

// refuseInput returns the error for a request whose input is wrong. It first authenticates the caller. If the
// authentication fails, refuseInput returns the error of the authentication. Otherwise it returns inputErr. A caller
// whose token is revoked must not learn what is wrong with the input.
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

// authenticateCaller looks the caller up and checks what the route requires: a token that is not revoked, membership of
// a group, or the right to create users. After a successful check, further calls for the request do nothing.
// authenticateCaller returns nil for routes that ignore tokens.
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
		// POST /users is the only route with an optional token.
		err = a.identity.CheckMayCreateUsers(r.ctx(), r.by)
	}
	r.authenticated = err == nil
	return err
}
