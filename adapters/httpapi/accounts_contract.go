package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// accountsPath is the first part of all paths of the accounts API.
	accountsPath = "/api/v1"
	// maxAccountsBody is the largest body of the accounts API, in bytes. Bodies contain only names, a token and, for a
	// new droplet, the keys of box entries.
	maxAccountsBody = 64 << 10
)

// accountsAPI is the contract of all paths under /api/v1. Clients send the token in a header or in the body. Errors
// have a numeric errorId.
type accountsAPI struct{}

// bodyLimit is the lower of the configured limit and 64 KiB.
func (accountsAPI) bodyLimit(configured int64) int64 { return min(configured, maxAccountsBody) }

// readsBodyForToken reports whether the body may contain a token. If it may, the token method reads the body, with one
// exception: if a header contains a token and the body is larger than 16 KiB, checkBody reads the body later and
// compares the two tokens.
func (accountsAPI) readsBodyForToken(r *request) bool {
	return r.route.Auth != AuthNone && r.Request().ContentLength != 0
}

var errTwoTokens = domain.Refuse(domain.Invalid, "two_tokens",
	"the request contains two different tokens: send only one")

// token reads the token from one of three places: the Authorization header, a header named Bearer, and "access_token"
// in the JSON body. The same token may be sent in several places. A request with two tokens that differ is refused,
// because the server cannot know which token the client means.
//
// This method searches only the first 16 KiB of a body. checkBody reads a larger body as a whole, after the caller is
// authenticated.
func (accountsAPI) token(r *request) (string, error) {
	tokens, err := accountsHeaderTokens(r.Request())
	if err != nil {
		return "", err
	}
	late := isLarge(r.Request()) && len(tokens) > 0
	if !late {
		inBody, whole, err := bodyToken(r)
		if err != nil && len(tokens) == 0 {
			return "", err
		}
		late = !whole
		// If a header contains a token, an error of reading or decoding the body is ignored here. The handler returns
		// the same error when it decodes the body, after the caller is authenticated.
		if inBody != "" {
			tokens = append(tokens, inBody)
		}
	}
	// The comparison need not take constant time, because the same client sent all tokens.
	for _, token := range tokens {
		if token != tokens[0] {
			return "", errTwoTokens
		}
	}
	if len(tokens) == 0 || tokens[0] == "" || len(tokens[0]) > maxAuthorization {
		return "", domain.ErrUnauthenticated
	}
	if late {
		r.token = tokens[0]
	}
	return tokens[0], nil
}

// checkBody reads a body that is larger than 16 KiB, because the token method does not search all of such a body. It
// returns an error if the token in this body differs from the token in the header. A body that is too large or
// malformed causes no error here. The handler returns an error when it decodes such a body.
func (accountsAPI) checkBody(r *request) error {
	if r.token == "" {
		return nil
	}
	text, err := r.readBody()
	if errors.Is(err, domain.TooLarge) {
		return nil
	}
	if err != nil {
		return err
	}
	inBody, err := decodeToken(r, text)
	if err == nil && inBody != "" && inBody != r.token {
		return errTwoTokens
	}
	r.token = ""
	return nil
}

// accountsHeaderTokens reads the tokens from the headers and removes them. A client sends one of these
// headers: "Authorization: Bearer TOKEN", "Authorization: Bearer: TOKEN", or "Bearer: TOKEN".
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

// bodyToken returns the field "access_token" of the body, or "" if the body is empty or contains no token. If the body
// is larger than 16 KiB, bodyToken reads only its first 16 KiB, and whole is false. The handler can still decode the
// whole body afterwards.
//
// bodyToken returns TooLarge if a body over 16 KiB is not JSON or has no token in its first 16 KiB. It also returns the
// errors of readBody and decodeJSON.
func bodyToken(r *request) (token string, whole bool, err error) {
	if isLarge(r.Request()) {
		begin, whole, err := r.peekBody()
		if err != nil {
			return "", true, err
		}
		if !whole {
			token := tokenInBegin(begin)
			if token == "" || !isJSON(r.Request().Header.Get(echo.HeaderContentType)) {
				r.closeAfterResponse()
				return "", false, errBodyTooLarge
			}
			return token, false, nil
		}
	}
	text, err := r.readBody()
	if err != nil {
		return "", true, err
	}
	token, err = decodeToken(r, text)
	return token, true, err
}

// decodeToken returns the field "access_token" of a complete body, or "" if the body is empty or has no such field.
func decodeToken(r *request, text []byte) (string, error) {
	if len(text) == 0 {
		return "", nil
	}
	holder, err := decodeJSON[struct {
		AccessToken string `json:"access_token"`
	}](r, text)
	return holder.AccessToken, err
}

// tokenInBegin returns the field "access_token" of a JSON object of which only the beginning is known. It returns "" if
// the beginning does not contain the field.
func tokenInBegin(begin []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(begin))
	if first, err := decoder.Token(); err != nil || first != json.Delim('{') {
		return ""
	}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return ""
		}
		var value json.RawMessage
		if decoder.Decode(&value) != nil {
			return ""
		}
		if name, ok := name.(string); ok && strings.EqualFold(name, "access_token") {
			var token string
			_ = json.Unmarshal(value, &token) // a value of another type leaves the token empty
			return token
		}
	}
	return ""
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
