package httpapi

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// maxAccountsBody bounds the bodies of contract B: a name and a token, or the keys of entries for a droplet.
const maxAccountsBody = 64 << 10

// bodyFailed is, in the context of Echo, why the body could not be read, for whoever tries again: what is left of it then
// is not the body.
const bodyFailed = "body failed"

// accountsCredential reads the token of a request of contract B, which has three places for it, and takes it out of the
// headers. Two places with different tokens are refused, since which one is meant cannot be known.
func (a *API) accountsCredential(c echo.Context) (domain.Credential, error) {
	r := c.Request()
	given, err := accountsHeaderTokens(r)
	if err != nil {
		return domain.Credential{}, err
	}
	inBody, err := a.bodyToken(c)
	if err != nil && len(given) == 0 {
		return domain.Credential{}, err
	}
	// With a token in a header, what is wrong with the body is told by whoever reads it, after who asks is known.
	if inBody != "" {
		given = append(given, inBody)
	}
	for _, token := range given {
		if token != given[0] {
			return domain.Credential{},
				domain.Refuse(domain.Invalid, "two_tokens", "the request holds two different tokens")
		}
	}
	if len(given) == 0 || given[0] == "" || len(given[0]) > maxAuthorization {
		return domain.Credential{}, domain.ErrUnauthenticated
	}
	return a.verify(r.Context(), given[0])
}

// accountsHeaderTokens reads Authorization: Bearer TOKEN, Authorization: Bearer: TOKEN, and a header named Bearer.
func accountsHeaderTokens(r *http.Request) ([]string, error) {
	var tokens []string
	for _, value := range r.Header.Values(echo.HeaderAuthorization) {
		scheme, token, _ := strings.Cut(strings.TrimSpace(value), " ")
		if !strings.EqualFold(strings.TrimSuffix(scheme, ":"), "Bearer") {
			return nil, domain.ErrUnauthenticated
		}
		tokens = append(tokens, strings.TrimSpace(token))
	}
	for _, value := range r.Header.Values("Bearer") {
		tokens = append(tokens, strings.TrimSpace(value))
	}
	r.Header.Del(echo.HeaderAuthorization)
	r.Header.Del("Bearer")
	return tokens, nil
}

// bodyToken looks for "access_token" in the body, and leaves the body to be read again.
func (a *API) bodyToken(c echo.Context) (string, error) {
	body, err := a.readBody(c)
	if err != nil {
		c.Set(bodyFailed, err)
		return "", err
	}
	c.Request().Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		return "", nil
	}
	var holder struct {
		AccessToken string `json:"access_token"`
	}
	if _, err := decodeJSON(c, body, &holder); err != nil {
		return "", err
	}
	return holder.AccessToken, nil
}

// isAccountsAPI reports whether a request is of contract B, whatever becomes of it.
func isAccountsAPI(c echo.Context) bool {
	path := c.Request().URL.Path
	return path == accountsPath || strings.HasPrefix(path, accountsPath+"/")
}
