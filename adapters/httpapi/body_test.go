package httpapi_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestStalledBodies verifies that the response is 400 body_unreadable if a body is incomplete at the deadline.
func TestStalledBodies(t *testing.T) {
	t.Parallel()
	api, log := failing(func() error { return domain.ErrUnauthenticated })
	address := serve(t, api, nil, func(server *http.Server) { server.ReadTimeout = 200 * time.Millisecond })
	const head = " HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	for path, accounts := range map[string]bool{"/authenticate": false, "/init": false, "/api/v1/user/auth": true,
		"/api/v1/user/auth/refresh": true} {
		for _, rest := range []string{"Content-Length: 10\r\n\r\n", "Content-Length: 10\r\n\r\n{\"a\":",
			"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"} {
			got, body := send(t, dial(t, address, "", false), "POST "+path+head+rest)
			require.Equal(t, 400, got.StatusCode, "%s: %s", path, body)
			requireShape(t, accounts, got, body, "body_unreadable")
		}
	}
	require.Zero(t, failures(log))
}
