package terminal

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// renewingTransport sends requests with the token of a profile whose session can be refreshed. A refresh, by this
// process or by another one, invalidates the previous token immediately. A request that is refused for this reason is
// sent again with the new token. It is safe for concurrent use.
type renewingTransport struct {
	session *session
	next    http.RoundTripper

	mu sync.Mutex // guards session.selected while the transport is in use
}

// RoundTrip sends a request at most twice. As http.RoundTripper requires, it does not modify the request.
func (r *renewingTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	token := r.token()
	response, err := r.send(request, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	renewed := r.renew(request.Context(), token)
	if renewed == "" || renewed == token {
		return response, nil
	}
	// The body of a refusal is small. Reading it to the end lets the connection be reused.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	_ = response.Body.Close()
	return r.send(request, renewed)
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

// token returns the current token of the profile.
func (r *renewingTransport) token() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session.selected.Token
}

// renew returns the token that replaces a refused one. The result is "" or the refused token if there is no other: a
// token that has not expired and that no other process has replaced was refused for another reason, such as a revoked
// session.
func (r *renewingTransport) renew(ctx context.Context, refused string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.session
	if s.selected.Token != refused {
		return s.selected.Token // another request of this process has already renewed it
	}
	path, err := profile.Path()
	if err != nil {
		return ""
	}
	book, err := profile.Load(path)
	if err != nil {
		return ""
	}
	// Another process may have refreshed the session and stored its result.
	stored := book.Profiles[s.name]
	if !sameServer(stored.URL, s.selected.URL) || stored.Username != s.selected.Username {
		return "" // the profile now belongs to another account
	}
	s.selected = stored
	if stored.Token == refused && stored.RefreshToken != "" && time.Until(stored.ExpiresAt) <= 0 {
		if _, err := s.refresh(ctx); err != nil {
			return ""
		}
	}
	return s.selected.Token
}

// httpClient returns a client that renews the token of the profile. For a token that cannot be renewed it returns nil,
// which selects the default of the package client.
func (s *session) httpClient(token string) *http.Client {
	if token == "" || token != s.selected.Token || s.selected.RefreshToken == "" {
		return nil
	}
	return &http.Client{Transport: &renewingTransport{session: s, next: http.DefaultTransport}}
}
