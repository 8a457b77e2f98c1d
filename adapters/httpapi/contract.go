package httpapi

import (
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// contract is the wire format that all routes of one API share. There are two contracts: lockboxAPI and accountsAPI.
type contract interface {
	// token returns the token of a request without verifying the token. It removes the token from the headers, so that
	// the token cannot reach a log. A missing or malformed token causes the error Unauthenticated. If the token is
	// optional on the route, a missing token causes no error, and the result is "".
	token(r *request) (string, error)
	// readsBodyForToken reports whether the token method may read the body.
	readsBodyForToken(r *request) bool
	// If the token method has not read the whole body, checkBody checks the body after the caller is authenticated. It
	// returns Invalid if the token in the body differs from the token that the token method has returned.
	checkBody(r *request) error
	// bodyLimit returns the size of the largest body that is accepted, in bytes. configured is the limit from the
	// settings.
	bodyLimit(configured int64) int64
	// writeError writes an error as the response, with the status that errors.go assigns to the error.
	writeError(c echo.Context, refusal *domain.Error, status int)
}

var (
	_ contract = lockboxAPI{}
	_ contract = accountsAPI{}
)

// contractOf returns the contract of a path. The path need not belong to a route, because the contract also determines
// the form of the 404 response.
func contractOf(path string) contract {
	if path == accountsPath || strings.HasPrefix(path, accountsPath+"/") {
		return accountsAPI{}
	}
	return lockboxAPI{}
}

// lockboxAPI is the contract of all paths outside of /api/v1. Clients send bearer tokens. Errors are problem documents
// (RFC 9457).
type lockboxAPI struct{}

// maxAuthorization is the longest Authorization header, in bytes. Tokens of this server are shorter.
const maxAuthorization = 4 << 10

// token reads "Authorization: Bearer TOKEN". The word Bearer may be in upper or lower case.
func (lockboxAPI) token(r *request) (string, error) {
	header := r.Request().Header
	values := header.Values(echo.HeaderAuthorization)
	header.Del(echo.HeaderAuthorization)
	if len(values) == 0 && r.route.Auth == AuthOptional {
		return "", nil
	}
	// A request with two Authorization headers is refused, because a proxy may have checked only one of them.
	if len(values) != 1 || len(values[0]) > maxAuthorization {
		return "", domain.ErrUnauthenticated
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return "", domain.ErrUnauthenticated
	}
	return token, nil
}

func (lockboxAPI) readsBodyForToken(*request) bool { return false }

func (lockboxAPI) checkBody(*request) error { return nil }

// bodyLimit returns the configured limit. The limit is not fixed, because the bodies of this API contain the values of
// entries. The maximum size of a value can be configured.
func (lockboxAPI) bodyLimit(configured int64) int64 { return configured }
