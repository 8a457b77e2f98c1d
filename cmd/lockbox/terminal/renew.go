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

// renewingTransport sends requests with the token of a profile. A refresh by any process invalidates the previous token
// immediately, and a login replaces the token. If the server refuses a request because of its token, the transport
// sends the request again with the newer token. It is safe for concurrent use.
type renewingTransport struct {
	session *session
	next    http.RoundTripper

	mu sync.Mutex // guards session.selected while the transport is in use
}

// maxRenewals is how often a request is sent again. One renewal is enough unless other processes refresh the session as
// fast as requests are answered. The limit ends the loop if a server refuses every token.
const maxRenewals = 20

// RoundTrip sends a request, and repeats it after each renewal of its token. It does not modify the request, because
// the contract of http.RoundTripper forbids changes.
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

// maxRefusal limits how much of a refusal is read, in bytes. Refusals of Lockbox have less than one KiB.
const maxRefusal = 1 << 16

// refusesToken reports whether the server refuses the token of a request, as unknown or expired. Other refusals have
// the same status, for example for a wrong password. The transport must not repeat a request after such a refusal,
// because the server would count the repetition as another attempt. After the call, the body of the response can still
// be read.
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
	// The accounts API reports the same two errors with these numbers.
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

// renew returns the token that replaces a refused one, or the refused token itself if there is no other token. If
// another process is refreshing the session, renew waits for it, because that process stores the new token only after
// the server has invalidated the old one. It returns an error if the refresh fails, for example because of a lost
// connection. A revoked session is not an error here, because the caller returns the original refusal.
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
// time, and the default of 2 would close most of its connections.
const maxIdleConns = 16

// httpClient returns a client that renews the token of the profile. If the token is not from a profile, it returns nil,
// which selects the default HTTP client of the package client.
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
