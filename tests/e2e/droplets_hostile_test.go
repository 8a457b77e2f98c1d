package e2e

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestHostileDropletHost covers engines whose responses are endless or malformed. The server must answer every request
// about droplets within five seconds, and the error must name the reason. No droplet may be stored in the database.
func TestHostileDropletHost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status              int
		begin, repeat, want string
	}{
		"endless list":    {200, "[{}", ",{}", "lists more than 1000 containers"},
		"endless name":    {200, `[{"Names":["`, strings.Repeat("x", 4<<10), "response is longer than"},
		"endless reason":  {500, `{"message":"`, strings.Repeat("x", 4<<10), "response is longer than"},
		"another service": {200, "<!doctype html>", "", "is not a JSON array"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := fakeEngine(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				for _, err := io.WriteString(w, c.begin); err == nil && c.repeat != ""; {
					_, err = io.WriteString(w, c.repeat)
				}
			}))
			s := start(t, "DOCKER_HOST=unix://"+path, "DROPLET_IMAGES=debian-sshd")
			root := s.initialize()
			for _, line := range dropletRequests {
				began := time.Now()
				got := root.do(line[0], "/api/v1/droplet"+line[1], nil).failsUnnumbered(503)
				require.Contains(t, got.string("error"), c.want, got.request)
				require.Less(t, time.Since(began), 5*time.Second, got.request)
			}
			require.Equal(t, 0, number(t, s.db, `SELECT count(*) FROM droplets`))
		})
	}
}

// fakeEngine starts an engine and returns the path of its socket. The engine itself answers /_ping, with which a client
// negotiates the API version. The argument next is the handler of all other requests.
func fakeEngine(t *testing.T, next http.Handler) (path string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "hostile-") // t.TempDir is too long for a socket path
	require.NoError(t, err)
	path = filepath.Join(dir, "engine.sock")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	server := &http.Server{
		ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/_ping") {
				w.Header().Set("Api-Version", "1.47")
				return
			}
			next.ServeHTTP(w, r)
		}),
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		require.NoError(t, os.RemoveAll(dir))
	})
	return path
}
