package httpapi

import (
	"context"
	"errors"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// request is one request to a route. Only one goroutine uses it.
type request struct {
	echo.Context
	route Route
	// by identifies the sender. If the token is signed, its signature has been verified. API.authenticateCaller must
	// still look the credential up in the database.
	by   domain.Requester
	body body
	// admission limits the memory that the request uses.
	admission *admission
	// authenticated is true after authenticateCaller has succeeded.
	authenticated bool
	// slot counts the request towards the limit of its user or address. key identifies this user or address.
	slot slot
	key  string
	// context is the context of the request, with the user or address as its origin; see request.origin.
	context context.Context
	// token is the token of the request until checkBody has compared it with the body; see contract.checkBody.
	token string
}

// ctx is the context of the request. It ends when the client disconnects (see half_close.go) or at the deadline (see
// deadline.go).
func (r *request) ctx() context.Context {
	if r.context != nil {
		return r.context
	}
	return r.Request().Context()
}

// param returns a path parameter; see pathParam.
func (r *request) param(name string) string { return pathParam(r, name) }

// pathParam returns a path parameter, decoded once. If the encoding is malformed, it returns "", which is never a valid
// name.
func pathParam(c echo.Context, name string) string {
	text, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return ""
	}
	return text
}

// handle returns the Echo handler of a route.
func (a *API) handle(route Route) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		// Responses may contain secrets, so caches must not store them. A response depends on the caller and on the
		// encryption key.
		header.Set("Cache-Control", "no-store")
		header.Add("Vary", "Authorization, "+headerEncryptionKey) // CORS adds Origin
		r := a.newRequest(c, route)
		r.body.limit = route.contract.bodyLimit(a.maxBodyBytes)
		if route.MaxBody > 0 {
			r.body.limit = route.MaxBody
		}
		defer r.slot.release()
		defer r.releaseBody()
		err := a.serve(r)
		if err != nil && !r.body.read && isLarge(c.Request()) {
			r.closeAfterResponse()
		}
		a.noteRefusal(r, err)
		return err
	}
}

// newRequest returns the request of an echo.Context. Its credential is set later.
func (a *API) newRequest(c echo.Context, route Route) *request {
	return &request{
		Context: c,
		route:   route,
		by: domain.Requester{
			RequestID:     c.Response().Header().Get(echo.HeaderXRequestID),
			Address:       c.RealIP(),
			SharedAddress: a.proxies.sharesAddress(c.Request()),
		},
		admission: a.admission,
	}
}

// serve runs a request in this order:
//
//  1. admit reads the token, verifies a signature, and counts the request towards the limit of its user or address.
//     This step uses the database only for an opaque token, and only if no recent lookup has found the token valid.
//  2. admitLargeBody looks the caller up before a large body uses memory.
//  3. If the handler ignores the body, awaitIgnoredBody waits for the body.
//  4. The handler decodes the body and calls a use case. The SQL statement that reads or writes the data also looks the
//     caller up. Reading or writing an entry therefore takes only one statement.
//  5. If the input is wrong, refuseInput authenticates the caller before it returns the error.
func (a *API) serve(r *request) error {
	if err := a.admit(r); err != nil {
		return err
	}
	// A client without a token must not use more memory than maxAnonymousBody.
	if r.by.Credential.IsZero() {
		r.body.limit = min(r.body.limit, maxAnonymousBody)
	}
	if r.body.unreadable { // the accounts API may read a body that the handler ignores
		return a.refuseInput(r, r.body.err)
	}
	if err := a.admitLargeBody(r); err != nil {
		return err
	}
	if err := r.route.contract.checkBody(r); err != nil {
		return a.refuseInput(r, err)
	}
	if err := r.awaitIgnoredBody(); err != nil {
		return a.refuseInput(r, err)
	}
	if r.route.isSlow {
		allowTime(r.Request().Context(), slowRequestTime)
	}
	err := r.route.handler(a, r)
	if isInputError(err) {
		return a.refuseInput(r, err)
	}
	return err
}

// isInputError reports whether err describes what is wrong with the input of a request.
func isInputError(err error) bool {
	return errors.Is(err, domain.Invalid) || errors.Is(err, domain.TooLarge) || errors.Is(err, domain.Unsupported)
}
