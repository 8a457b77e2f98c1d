package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
)

// refusedBy sends a request through the middleware and returns its refusal, or nil.
func refusedBy(o origins, method, path, host, origin string) error {
	request := httptest.NewRequest(method, path, http.NoBody)
	request.Host = host
	if origin != "" {
		request.Header.Set("Origin", origin)
	}
	c := echo.New().NewContext(request, httptest.NewRecorder())
	c.SetPath(path)
	return o.check(func(echo.Context) error { return nil })(c)
}

// TestIsLoopback covers names and addresses of this machine, and names and addresses that may belong to another
// machine.
func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "LocalHost:5000", "127.0.0.1", "127.0.0.1:5000", "127.9.9.9:1", "[::1]",
		"[::1]:5000", "::1", "localhost.", "app.localhost:80", "[::ffff:127.0.0.1]:5000"} {
		assert.True(t, isLoopback(host), host)
	}
	for _, host := range []string{"", ":5000", "evil.example:5000", "localhost.evil.example", "127.0.0.1.evil.example",
		"0.0.0.0:5000", "10.0.0.1", "notlocalhost", "[::]:5000", "127.1", "2130706433", "localhost:5000@evil.example"} {
		assert.False(t, isLoopback(host), host)
	}
}

// TestLoopbackOnly verifies that a request is refused if its Host or Origin header contains the name of another
// machine.
func TestLoopbackOnly(t *testing.T) {
	t.Parallel()
	o := origins{loopbackOnly: true, allowed: []string{"https://app.example.org"}}
	for _, path := range []string{"/init", "/boxes", "/docs", "/api/v1/user/auth"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
			assert.NoError(t, refusedBy(o, method, path, "127.0.0.1:5000", ""))
			assert.NoError(t, refusedBy(o, method, path, "localhost:5000", "http://localhost:3000"))
			assert.NoError(t, refusedBy(o, method, path, "localhost:5000", "https://app.example.org"))
			for _, origin := range []string{"http://evil.example", "null", "http://evil.example:5000",
				"https://127.0.0.1.evil.example",
				"http://app.example.org", "file://", "%"} {
				assert.ErrorIs(t, refusedBy(o, method, path, "127.0.0.1:5000", origin), errForeignHost, origin)
			}
			for _, host := range []string{"evil.example:5000", "", "10.0.0.1:5000", "app.example.org"} {
				assert.ErrorIs(t, refusedBy(o, method, path, host, ""), errForeignHost, host)
			}
		}
	}
}

// TestOpenInit tests a server that requires no init token. Web pages of other sites must not be able to call POST
// /init. Programs can call it, because they send no Origin header. Requests to other paths are not affected.
func TestOpenInit(t *testing.T) {
	t.Parallel()
	o := origins{openInit: true, allowed: []string{"https://app.example.org"}}
	init := func(host, origin string) error { return refusedBy(o, http.MethodPost, "/init", host, origin) }
	for _, c := range [][2]string{{"lockbox.example.org", ""}, {"127.0.0.1:5000", ""}, {"", ""},
		{"127.0.0.1:5000", "http://127.0.0.1:5000"}, {"localhost", "http://localhost:3000"},
		{"lockbox.example.org", "https://app.example.org"}, {"127.0.0.1", "https://app.example.org"}} {
		assert.NoError(t, init(c[0], c[1]), c)
	}
	for _, c := range [][2]string{{"evil.example:5000", "http://evil.example:5000"},
		{"127.0.0.1:5000", "http://evil.example"},
		{"lockbox.example.org", "https://lockbox.example.org"}, {"127.0.0.1:5000", "null"},
		{"evil.example", "http://127.0.0.1:5000"}} {
		assert.ErrorIs(t, init(c[0], c[1]), errForeignInit, c)
	}
	assert.NoError(t, refusedBy(o, http.MethodPost, "/boxes/x", "evil.example", "http://evil.example"))
	assert.NoError(t, refusedBy(origins{}, http.MethodPost, "/init", "evil.example", "http://evil.example"))
	o.allowed = []string{"*"}
	assert.NoError(t, init("lockbox.example.org", "https://any.example"))
	assert.False(t, errors.Is(errForeignHost, errForeignInit), "the refusals differ in their messages")
}
