package terminal

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// renewing sends requests with the token of a profile that is taken anew from time to time. A refresh, by this command or
// by another one beside it, ends the token at once: a request that is refused for that is sent again with the new one.
type renewing struct {
	session *session
	next    http.RoundTripper

	mu sync.Mutex // guards session.chosen from now on
}

// RoundTrip sends a request, twice at most. It leaves the request as it is.
func (r *renewing) RoundTrip(request *http.Request) (*http.Response, error) {
	token := r.token()
	response, err := r.send(request, token)
	if err != nil || response.StatusCode != http.StatusUnauthorized {
		return response, err
	}
	renewed := r.renew(request.Context(), token)
	if renewed == "" || renewed == token {
		return response, nil
	}
	// What is left of a refusal is small; read, its connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<16))
	_ = response.Body.Close()
	return r.send(request, renewed)
}

func (r *renewing) send(request *http.Request, token string) (*http.Response, error) {
	copied := request.Clone(request.Context())
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

func (r *renewing) token() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.session.chosen.Token
}

// renew returns the token to use in place of one that was refused; "" or the same one when there is none. A token that
// is not at its end, and that nobody else replaced, was refused for another reason.
func (r *renewing) renew(ctx context.Context, refused string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.session
	if s.chosen.Token != refused {
		return s.chosen.Token
	}
	path, err := profile.Path()
	if err != nil {
		return ""
	}
	book, err := profile.Load(path)
	if err != nil {
		return ""
	}
	kept := book.Profiles[s.name]
	if !sameServer(kept.URL, s.chosen.URL) || kept.Username != s.chosen.Username {
		return "" // somebody else has signed in under this name meanwhile
	}
	s.chosen = kept
	if kept.Token == refused && kept.RefreshToken != "" && time.Until(kept.ExpiresAt) <= 0 {
		if _, err := s.refresh(ctx); err != nil {
			return ""
		}
	}
	return s.chosen.Token
}

// httpClient is for a token of the profile that can be taken anew; nil, which is the client's own, for any other.
func (s *session) httpClient(token string) *http.Client {
	if token == "" || token != s.chosen.Token || s.chosen.RefreshToken == "" {
		return nil
	}
	return &http.Client{Transport: &renewing{session: s, next: http.DefaultTransport}}
}
