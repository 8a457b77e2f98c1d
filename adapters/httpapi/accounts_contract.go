package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// accountsPath is the first part of all paths of the accounts API.
	accountsPath = "/api/v1"
	// maxAccountsBody is the largest body of the accounts API, in bytes. Bodies hold names and a token, or the entry
	// keys for a droplet. The limit is low because the server reads a body before it knows the token.
	maxAccountsBody = 64 << 10
)

// accountsAPI is the contract of all paths under /api/v1: a token in a header or in the body, and errors with a
// numeric errorId.
type accountsAPI struct{}

// bodyLimit is the lower of the configured limit and 64 KiB.
func (accountsAPI) bodyLimit(configured int64) int64 { return min(configured, maxAccountsBody) }

// token reads the token from one of three places: the Authorization header, a header named Bearer, and "access_token"
// in the JSON body. The same token may be sent in several places. Different tokens are refused, because it is unknown
// which one the client means.
func (accountsAPI) token(r *request) (string, error) {
	tokens, err := accountsHeaderTokens(r.Request())
	if err != nil {
		return "", err
	}
	inBody, err := bodyToken(r)
	if err != nil && len(tokens) == 0 {
		return "", err
	}
	// If a header holds a token, the caller must be authenticated before the response reports an error in the body. The
	// handler reports the error when it decodes the body.
	if inBody != "" {
		tokens = append(tokens, inBody)
	}
	// The comparison need not take constant time, because the same client sent all tokens.
	for _, token := range tokens {
		if token != tokens[0] {
			return "", domain.Refuse(domain.Invalid, "two_tokens",
				"the request contains two different tokens: send only one")
		}
	}
	if len(tokens) == 0 || tokens[0] == "" || len(tokens[0]) > maxAuthorization {
		return "", domain.ErrUnauthenticated
	}
	return tokens[0], nil
}

// accountsHeaderTokens reads and removes the tokens of the headers. Clients send "Authorization: Bearer TOKEN",
// "Authorization: Bearer: TOKEN", or "Bearer: TOKEN".
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
	// Code after this point must not see the token.
	r.Header.Del(echo.HeaderAuthorization)
	r.Header.Del("Bearer")
	return tokens, nil
}

// bodyToken returns "access_token" of the body, or "" if the body is empty or has none. The handler can still decode
// the body afterwards.
func bodyToken(r *request) (string, error) {
	text, err := r.readBody()
	if err != nil || len(text) == 0 {
		return "", err
	}
	holder, err := decodeJSON[struct {
		AccessToken string `json:"access_token"`
	}](r, text)
	return holder.AccessToken, err
}

// writeError writes {"error": "…", "errorId": N}.
func (accountsAPI) writeError(c echo.Context, refusal *domain.Error, status int) {
	line := accountsError(refusal, status)
	if line.ID == accountsHostRefused.ID {
		line.Text = hostReason(refusal, pathParam(c, "droplet"))
	}
	setErrorHeaders(c, refusal, line.Status)
	body, _ := json.Marshal(struct { // cannot fail for a string and an int
		Error string `json:"error"`
		ID    int    `json:"errorId"`
	}{line.Text, line.ID})
	_ = blob(c, line.Status, contentTypeJSON, body) // fails only if the client is disconnected
}
