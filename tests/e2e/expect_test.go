package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// The refuses method requires an error of the Lockbox API with the given status and code. It also checks the members of
// the body that RFC 9457 defines, and the message in the member "errors".
func (a *answer) refuses(status int, code string) *answer {
	a.t.Helper()
	a.expect(status)
	require.Equal(a.t, []string{"application/problem+json"}, a.Header["Content-Type"], a.request)
	got := a.problem()
	require.Equal(a.t, code, got.Code, "%s: %s", a.request, a.Body)
	require.Equal(a.t, http.StatusText(status), got.Title, a.request)
	require.Equal(a.t, status, got.Status, a.request)
	require.Equal(a.t, "urn:lockbox:request:"+a.Header.Get("X-Request-Id"), got.Instance, a.request)
	require.NotEmpty(a.t, got.Detail, a.request)
	require.Len(a.t, got.Errors, 1, a.request)
	require.Equal(a.t, got.Detail, got.Errors[0].Message, a.request)
	if status == http.StatusUnauthorized {
		require.Equal(a.t, "Bearer", a.Header.Get("WWW-Authenticate"), a.request)
	}
	return a
}

// The about method verifies that an error names the given input field.
func (a *answer) about(field string) *answer {
	a.t.Helper()
	require.Equal(a.t, field, a.problem().Errors[0].Field, "%s: %s", a.request, a.Body)
	return a
}

type problem struct {
	Type, Title, Detail, Instance, Code string
	Status                              int
	Errors                              []struct{ Message, Field string }
}

func (a *answer) problem() problem {
	a.t.Helper()
	var got problem
	require.NoError(a.t, json.Unmarshal(a.Body, &got), "%s: %s", a.request, a.Body)
	require.NotEmpty(a.t, got.Errors, "%s: %s", a.request, a.Body)
	return got
}

// The is method compares a successful JSON answer with the given text byte for byte.
func (a *answer) is(body string) *answer {
	a.t.Helper()
	a.isJSON()
	require.Equal(a.t, body, string(a.Body), a.request)
	return a
}

// isJSON requires the content type application/json without a charset.
func (a *answer) isJSON() *answer {
	a.t.Helper()
	require.Equal(a.t, []string{"application/json"}, a.Header["Content-Type"], a.request)
	return a
}

// isEmpty verifies that an answer has no body, and checks the content type. If contentType is "", the answer must have
// no content type.
func (a *answer) isEmpty(contentType string) *answer {
	a.t.Helper()
	require.Empty(a.t, a.Body, a.request)
	require.Equal(a.t, contentType, a.Header.Get("Content-Type"), a.request)
	return a
}

// at checks the Location header.
func (a *answer) at(location string) *answer {
	a.t.Helper()
	require.Equal(a.t, []string{location}, a.Header["Location"], a.request)
	return a
}

// read decodes a JSON answer.
func read[T any](a *answer) T {
	a.t.Helper()
	var value T
	require.NoError(a.t, json.Unmarshal(a.Body, &value), "%s: %s", a.request, a.Body)
	return value
}

// The in method returns a copy of the client. The copy reports failures on another test, usually a subtest.
func (c client) in(t testing.TB) client {
	server := *c.server
	server.t = t
	return client{server: &server, token: c.token}
}

// signIn signs the user in with a password and returns a client that sends the session token.
func (s *server) signIn(username, password string) client {
	s.t.Helper()
	got := s.as("").do("POST", "/authenticate",
		map[string]string{"username": username, "password": password}).expect(200)
	return s.as(got.string("token"))
}

// box creates a box that the caller owns.
func (c client) box(name string) string {
	c.server.t.Helper()
	c.do("POST", "/boxes/"+name, nil).expect(201)
	return name
}

// share adds a user to a box with exactly these permissions. The client's user must have the right to manage the box.
func (c client) share(box, username string, permissions ...string) {
	c.server.t.Helper()
	c.do("POST", "/boxes/"+box+"/users", map[string]string{"username": username}).expect(201)
	c.permit(box, username, permissions...)
}

// permit sets a user's permissions in a box.
func (c client) permit(box, username string, permissions ...string) {
	c.server.t.Helper()
	if permissions == nil {
		permissions = []string{}
	}
	c.do("PUT", "/boxes/"+box+"/users/"+username+"/permissions", permissions).expect(204)
}
