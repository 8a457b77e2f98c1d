package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/lockbox-go/lockbox/client"
)

// renewingTransport sends requests with the token of a profile. Other processes can make this token invalid: a refresh
// invalidates the previous token immediately, and a login replaces the token in the profile. If the server refuses the
// token of a request, the transport gets a newer token and sends the request again. The transport is safe for
// concurrent use.
type renewingTransport struct {
	session *session
	next    http.RoundTripper

	mu sync.Mutex // guards session.selected while the transport is in use
}

// maxRenewals limits how many times one request is sent again. One renewal usually suffices. A further renewal is
// needed if another process refreshes the session before the repeated request reaches the server. The limit ends the
// loop if a server refuses every token.
const maxRenewals = 20

// RoundTrip sends a request. If the server refuses the token, RoundTrip renews the token and sends the request again.
// It sends only copies of the request, because the contract of http.RoundTripper forbids changes to the original.
func (r *renewingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	// Some requests, such as a sign-in, have no token and must not get one here.
	if request.Header.Get("Authorization") == "" {
		return r.next.RoundTrip(request)
	}
	token := r.token()
	for renewals := 0; ; renewals++ {
		response, err := r.send(request, token)
		if err != nil || renewals == maxRenewals || !refusesToken(response) {
			return response, err
		}
		renewed, err := r.renew(request.Context(), token)
		if err == nil && renewed == token {
			return response, nil
		}
		_ = response.Body.Close()
		if err != nil {
			return nil, err
		}
		token = renewed
	}
}

// send sends a copy of the request with a token and a fresh body.
func (r *renewingTransport) send(request *http.Request, token string) (*http.Response, error) {
	copied := request.Clone(request.Context())
	// The first attempt has consumed the body. The package client sets GetBody on every request.
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, err
		}
		copied.Body = body
	}
	copied.Header.Set("Authorization", "Bearer "+token)
	return r.next.RoundTrip(copied)
}

// maxRefusal limits how many bytes of a refusal are read. The refusals that Lockbox sends are shorter than one KiB.
const maxRefusal = 1 << 16

// refusesToken reports whether the server refuses the token of a request as unknown, expired or revoked. It returns
// false for other errors with the status 401, such as a wrong password. The transport must not repeat a request with a
// wrong password, because the server would count another attempt. After the call, the body of the response can still be
// read.
func refusesToken(response *http.Response) bool {
	if response.StatusCode != http.StatusUnauthorized {
		return false
	}
	body := response.Body
	text, err := io.ReadAll(io.LimitReader(body, maxRefusal))
	response.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(text), body), body}
	var refusal struct {
		Code string `json:"code"`
		ID   int    `json:"errorId"`
	}
	if err != nil || json.Unmarshal(text, &refusal) != nil {
		return false
	}
	// The accounts API sends the numbers 908 and 909 instead of the two codes in tokenRefusals.
	return slices.Contains(tokenRefusals, refusal.Code) || refusal.ID == 908 || refusal.ID == 909
}

// tokenRefusals are the error codes for an unknown, expired or revoked token.
var tokenRefusals = []string{"unauthenticated", "token_expired"}

// token returns the current token of the profile.
func (r *renewingTransport) token() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session.selected.Token
}

// renew returns a token that replaces the refused token. If there is no other token, it returns the refused token. If
// another process is refreshing the session, renew waits until that process has finished. renew returns an error if the
// refresh fails, for example because of a lost connection. If the session is revoked, it returns the refused token and
// no error. The caller then returns the original response of the server.
func (r *renewingTransport) renew(ctx context.Context, refused string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if current := r.session.selected.Token; current != refused {
		return current, nil // another request of this process has already renewed it
	}
	renewed, err := r.session.refresh(ctx)
	if errors.Is(err, client.ErrUnauthenticated) || errors.Is(err, errOtherAccount) || err == nil && renewed == "" {
		return refused, nil
	}
	return renewed, err
}

// maxIdleConns is the number of connections that stay open between requests. An import sends several requests at a
// time, and the default limit of 2 would close most of these connections after each request.
const maxIdleConns = 16

// httpClient returns a client that renews the token of the profile. If the token does not come from a profile, it
// returns nil. The package client then uses its default HTTP client.
func (s *session) httpClient(token string) *http.Client {
	if token == "" || !s.usesProfile {
		return nil
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if standard, ok := http.DefaultTransport.(*http.Transport); ok {
		transport = standard.Clone()
	}
	transport.MaxIdleConnsPerHost = maxIdleConns
	return &http.Client{Transport: &renewingTransport{session: s, next: transport}}
}
