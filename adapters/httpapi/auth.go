package httpapi

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// isNobody marks, in the context of Echo, a request without a token that was signed here, or whose token is not looked at.
const isNobody = "nobody"

// heldBody is, in the context of Echo, what the request holds of the budget for large bodies, in bytes.
const heldBody = "held body"

// maxAuthorization bounds the header Authorization, in bytes; a longer one is no token of ours.
const maxAuthorization = 4 << 10

// handle turns a route into a handler: who asks, then the action. That a token was not revoked, the use case learns
// together with everything else it looks up.
func (a *API) handle(route Route) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("Cache-Control", "no-store")
		header.Add("Vary", "Authorization, X-Encryption-Key") // beside the Origin of CORS
		by := domain.Requester{RequestID: header.Get(echo.HeaderXRequestID), Address: c.RealIP(),
			SharedAddress: a.forwardsUntrusted(c.Request())}
		defer a.releaseBody(c)
		var err error
		if by.Credential, err = a.credentialFor(c, route); err != nil {
			return err
		}
		if by.Credential.IsZero() {
			c.Set(isNobody, true)
		}
		if err := a.checkBeforeLargeBody(c.Request(), route, by); err != nil {
			header.Set(echo.HeaderConnection, "close") // or the server would wait for the body before it answers
			return err
		}
		err = route.action(a, c, by)
		if isBadInput(err) {
			// A token that is no longer good learns nothing of what was wrong with its input.
			if refused := a.mayAsk(c.Request().Context(), route, by); refused != nil {
				return refused
			}
		}
		return err
	}
}

// checkBeforeLargeBody looks an opaque token up before a large body is read for it: unlike one that was signed here,
// anybody can make one up. Contract B reads its body, which is small, for the token itself.
func (a *API) checkBeforeLargeBody(r *http.Request, route Route, by domain.Requester) error {
	large := r.ContentLength < 0 || r.ContentLength > maxAnonymousBody
	if !large || route.AccountsAPI() || by.Credential.Kind != domain.AccessTokenCredential {
		return nil
	}
	return a.mayAsk(r.Context(), route, by)
}

// credentialFor reads the token where the route's contract has it; none where the route wants none.
func (a *API) credentialFor(c echo.Context, route Route) (domain.Credential, error) {
	switch {
	case route.Auth == AuthNone:
		return domain.Credential{}, nil
	case route.AccountsAPI():
		return a.accountsCredential(c)
	default:
		return a.credential(c.Request(), route.Auth)
	}
}

// verify tells what a token claims to be. An opaque one says nothing by itself: its digest is looked up.
func (a *API) verify(ctx context.Context, token string) (domain.Credential, error) {
	if opaque, ok := domain.ParseOpaqueToken(token); ok {
		return domain.Credential{Kind: domain.AccessTokenCredential, Digest: opaque.Digest()}, nil
	}
	return a.Verify(ctx, token)
}

// credential reads the token and takes it out of the request.
func (a *API) credential(r *http.Request, auth Auth) (domain.Credential, error) {
	values := r.Header.Values(echo.HeaderAuthorization)
	r.Header.Del(echo.HeaderAuthorization)
	if len(values) == 0 && auth == AuthOptional {
		return domain.Credential{}, nil
	}
	if len(values) != 1 || len(values[0]) > maxAuthorization {
		return domain.Credential{}, domain.ErrUnauthenticated
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return domain.Credential{}, domain.ErrUnauthenticated
	}
	return a.verify(r.Context(), token)
}

func isBadInput(err error) bool {
	return errors.Is(err, domain.Invalid) || errors.Is(err, domain.TooLarge) || errors.Is(err, domain.Unsupported)
}

// mayAsk returns Unauthenticated, or Forbidden, for whoever could not have been served with better input either.
func (a *API) mayAsk(ctx context.Context, route Route, by domain.Requester) error {
	if route.Group != (domain.Group{}) {
		return a.Identity.Accounts().CheckGroup(ctx, by, route.Group)
	}
	switch route.Auth {
	case AuthToken:
		_, err := a.Identity.WhoAmI(ctx, by)
		return err
	case AuthOptional:
		return a.Identity.CheckMayCreateUsers(ctx, by)
	default:
		return nil
	}
}
