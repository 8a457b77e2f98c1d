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
	// by identifies the sender. Its credential is verified, but not yet looked up in the database: see
	// API.authenticateCaller.
	by   domain.Requester
	body body
	// admission bounds the memory of the request.
	admission *admission
	// authenticated is true after authenticateCaller has succeeded.
	authenticated bool
	// slot is the place of the request among the requests in flight. key is the user or address that the request counts
	// for.
	slot slot
	key  string
	// context is the context of the request with its key; see request.origin.
	context context.Context
	// token is the token that was found before the whole body was read; see contract.checkBody.
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

// pathParam returns a path parameter, decoded once. It returns "" if the encoding is malformed; no name matches "".
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
		// Responses may hold secrets. They depend on the caller and on the encryption key.
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
//  1. admit reads the token, verifies a signature, and counts the request for its user or address. This step uses the
//     database only for an opaque token that no recent lookup has found valid.
//  2. admitLargeBody looks the caller up before a large body uses memory.
//  3. The handler decodes the body and calls a use case, which looks the caller up in the same statement as its data.
//     There is no earlier lookup, so reading or writing an entry takes one statement.
//     A body that the handler ignores is awaited before the handler acts; see awaitIgnoredBody.
//  4. An error in the input is reported only to a caller who is authenticated. See refuseInput.
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
