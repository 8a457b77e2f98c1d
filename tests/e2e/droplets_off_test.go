package e2e

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dropletRequests lists the requests about droplets.
var dropletRequests = [][2]string{{"GET", "/list"}, {"POST", "/add"}, {"PATCH", "/start/droplet01"},
	{"PATCH", "/stop/droplet01"},
	{"PATCH", "/restart/droplet01"}, {"DELETE", "/delete/droplet01"}}

// TestDropletsWithoutAHost verifies the answers of a server without a Docker host. Only an authorised caller gets an
// error that names the missing setting. Requests about other objects work.
func TestDropletsWithoutAHost(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	manager, viewer := root.inGroup("manager", "manager"), root.inGroup("viewer", "viewer")
	for _, line := range dropletRequests {
		path := "/api/v1/droplet" + line[1]
		for _, who := range []client{root, manager} {
			got := who.do(line[0], path, nil).failsUnnumbered(503)
			require.Contains(t, got.string("error"), "LOCKBOX_DOCKER_HOST")
			require.NotEmpty(t, got.Header.Get("Retry-After"))
		}
		s.as("").do(line[0], path, nil).fails(401, 908, "Access token not found")
		if line[0] == "GET" {
			viewer.do(line[0], path, nil).failsUnnumbered(503)
			continue
		}
		viewer.do(line[0], path, nil).fails(403, 912, "Access denied")
		viewer.do(line[0], path, `{"image":["x"]}`).fails(403, 912, "Access denied")
	}
	root.do("PUT", "/api/v1/droplet/stop/droplet01", nil).fails(404, 404, "Route not found")
	root.do("GET", "/api/v1/user/list", nil).expect(200)
	require.Equal(t, 9, number(t, s.db,
		`SELECT count(*) FROM events WHERE action LIKE 'droplet.%' AND outcome = 'denied' AND actor_name = 'viewer'
		AND target = CASE action WHEN 'droplet.add' THEN '' ELSE 'droplet01' END`),
		"an add with a body that cannot be read is none")
	// An admin removes the user from the group. The user's next request must be refused.
	root.do("PUT", "/users/manager", `{"group":"none"}`).expect(204)
	for _, line := range dropletRequests {
		manager.do(line[0], "/api/v1/droplet"+line[1], nil).fails(403, 912, "Access denied")
	}
}

// TestUnresponsiveDropletHost covers a socket that accepts connections but never answers, and a path without a
// listener.
func TestUnresponsiveDropletHost(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "silent-") // t.TempDir is too long for a socket path
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	path := filepath.Join(dir, "engine.sock")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, listener.Close()) })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn); _ = conn.Close() }()
		}
	}()
	for name, host := range map[string]string{"silent": path, "absent": path + "x"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, "DOCKER_HOST=unix://"+host, "DROPLET_IMAGES=debian-sshd")
			root := s.initialize()
			root.box("servers")
			var group sync.WaitGroup
			for _, line := range dropletRequests {
				group.Go(func() {
					began := time.Now()
					body := any(nil)
					if line[0] == "POST" {
						body = `{"box":"servers"}`
					}
					got := root.do(line[0], "/api/v1/droplet"+line[1], body, "X-Encryption-Key", generatedKey)
					assert.Less(t, time.Since(began), 5*time.Second, got.request)
					assert.Equal(t, 503, got.Status, got.request)
					assert.Contains(t, got.string("error"), "does not answer", got.request)
				})
			}
			group.Wait()
			root.do("GET", "/boxes/servers/entries", nil).expect(200).is(`[]`)
			require.Equal(t, 0, number(t, s.db, `SELECT count(*) FROM droplets`))
		})
	}
}

// TestDropletChecksBeforeTheHostIsCalled sends invalid requests to a server whose Docker host is unreachable. Every
// answer must be the error of a check that the server makes before it calls the host.
func TestDropletChecksBeforeTheHostIsCalled(t *testing.T) {
	t.Parallel()
	s := start(t, "DOCKER_HOST=unix:///nowhere/docker.sock", "DROPLET_IMAGES=debian-sshd,alpine-sshd")
	root := s.initialize()
	manager := root.inGroup("manager", "manager")
	root.box("servers")
	root.share("servers", "manager", "readEntryKeys")
	root.put("servers", "plain", `"text"`).expect(201)
	root.put("servers", "zero", `"a\u0000b"`).expect(201)
	refused := func(who client, status int, body, says string, headers ...string) {
		t.Helper()
		got := who.do("POST", "/api/v1/droplet/add", body, headers...).failsUnnumbered(status)
		require.Contains(t, got.string("error"), says)
		require.NotContains(t, s.log.String(), `"status":500`)
	}
	key := []string{"X-Encryption-Key", generatedKey}
	refused(manager, 404, `{"box":"nowhere"}`, "no such box", key...)
	refused(manager, 403, `{"box":"servers"}`, "permissions in this box", key...)
	root.permit("servers", "manager", "createEntry")
	refused(manager, 403, `{"box":"servers","env":{"A":"plain"}}`, "permissions in this box", key...)
	refused(manager, 400, `{"box":"servers"}`, "X-Encryption-Key")
	refused(manager, 400, `{"env":{"A":"plain"}}`, "the field env requires the field box", key...)
	refused(manager, 400, `{"image":"ubuntu"}`, "image must be one of: debian-sshd, alpine-sshd")
	refused(manager, 400, `{"image":7}`, "image must be a string")
	refused(manager, 400, `{"env":["A"]}`, "env must be a JSON object")
	refused(manager, 400, `{"env":{"A":1}}`, "must be a string")
	refused(manager, 415, `{}`, "Content-Type", "Content-Type", "text/plain")
	root.permit("servers", "manager", "createEntry", "readEntry")
	for _, name := range []string{"", "a", "1A", "A-B", "A=B", "Ä", "PATH", "LD_PRELOAD", "LD_"} {
		refused(manager, 400, `{"box":"servers","env":{"`+name+`":"plain"}}`, "env", key...)
	}
	refused(manager, 404, `{"box":"servers","env":{"A":"plain","B":"missing"}}`, "env.B: the box has no such entry",
		key...)
	refused(manager, 404, `{"box":"servers","env":{"B":"../x"}}`, "env.B: the box has no such entry", key...)
	refused(manager, 400, `{"box":"servers","env":{"ZERO":"zero"}}`, "env.ZERO contains a zero byte", key...)
	refused(manager, 403, `{"box":"servers","env":{"A":"plain"}}`, "env.A: ", "X-Encryption-Key", otherKey)
	refused(manager, 503, `{"box":"servers","env":{"A":"plain"}}`, "does not answer", key...)
	require.Equal(t, 3, number(t, s.db,
		`SELECT count(*) FROM events WHERE action = 'droplet.add' AND outcome = 'denied'`))
	require.Equal(t, 0, number(t, s.db, `SELECT count(*) FROM droplets`))
}

// inGroup creates a user in a group and returns a client with the user's API key. The accounts API also accepts this
// API key.
func (c client) inGroup(name, group string) client {
	c.server.t.Helper()
	who := c.user(name)
	c.do("PUT", "/users/"+name, `{"group":"`+group+`"}`).expect(204)
	return who
}
