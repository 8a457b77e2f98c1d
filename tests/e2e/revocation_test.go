package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestRevocationWhileWaitingForALock revokes a permission while a request waits for a lock. After the wait, the server
// must check the permission again and refuse the request.
func TestRevocationWhileWaitingForALock(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.box("default")
	root.put("default", "entry", `1`).expect(201)
	user := root.user("user1")
	root.share("default", "user1", "readEntry", "createEntry")

	for what, request := range map[string]func() *answer{
		"write":   func() *answer { return user.put("default", "entry", `2`) },
		"restore": func() *answer { return user.do("POST", "/boxes/default/entries/entry/restore", `{"version":1}`) },
	} {
		root.permit("default", "user1", "readEntry", "createEntry")
		got := whileLocked(t, s, request, func() { root.permit("default", "user1") })
		require.Equal(t, 403, got.Status, "%s: %s", what, got.Body)
	}
	require.Equal(t, `1`, string(root.get("default", "entry").expect(200).Body))

	root.permit("default", "user1", "createEntry")
	got := whileLocked(t, s, func() *answer { return user.put("default", "entry", `2`) }, func() {
		root.do("PUT", "/users/user1", `{"isActive":false}`).expect(204)
	})
	require.Equal(t, 401, got.Status, "%s", got.Body)
}

// whileLocked sends a request while another transaction holds the entry's lock. While the request waits, whileLocked
// calls the given function and then releases the lock.
func whileLocked(t *testing.T, s *server, request func() *answer, meanwhile func()) *answer {
	t.Helper()
	answers := make(chan *answer, 1)
	withConn(t, s.db, func(ctx context.Context, conn *pgx.Conn) {
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, `SELECT FROM entries WHERE key = 'entry' FOR UPDATE`)
		require.NoError(t, err)
		go func() { answers <- request() }()
		require.Eventually(t, func() bool {
			return number(t, s.db,
				`SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
					AND wait_event_type = 'Lock'`) == 1
		}, 4*time.Second, 5*time.Millisecond)
		meanwhile()
		require.NoError(t, tx.Rollback(ctx))
	})
	return <-answers
}

// derivations returns the number of running key derivations plus the number of waiting ones.
func (s *server) derivations() int {
	sum := 0
	for line := range strings.Lines(string(s.as("").do("GET", "/metrics", nil).Body)) {
		if strings.HasPrefix(line, "lockbox_kdf_running ") || strings.HasPrefix(line, "lockbox_kdf_waiting{") {
			words := strings.Fields(line)
			count, err := strconv.Atoi(words[len(words)-1])
			require.NoError(s.t, err)
			sum += count
		}
	}
	return sum
}

// TestLargeBodiesNeedAValidToken verifies that the server does not read a large body if the request has no valid token.
func TestLargeBodiesNeedAValidToken(t *testing.T) {
	t.Parallel()
	s := start(t, "REQUIRE_ADMIN_TO_CREATE_USER=false")
	root := s.initialize()
	large := `{"username":"root","password":"` + padding(17<<10) + `"}`
	for _, path := range []string{"/init", "/authenticate", "/users"} {
		s.as("").do("POST", path, large).refuses(413, "body_too_large")
	}
	root.box("default")
	root.put("default", "entry", `"`+padding(17<<10)+`"`).expect(201)
	// These requests have a made-up token, and the rest of their bodies never arrives. The server must check the token
	// first and answer without waiting for the body.
	for _, path := range []string{"/boxes/default/entries", "/users"} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		require.NoError(t, err)
		defer func() { _ = conn.Close() }()
		require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second))) // the server waits 30 seconds for a body
		_, err = fmt.Fprintf(conn,
			"POST %s HTTP/1.1\r\nHost: lockbox\r\nContent-Type: application/json\r\nAuthorization: Bearer "+
				"%064d\r\nContent-Length: 100000\r\n\r\n{", path, 0)
		require.NoError(t, err)
		line, err := bufio.NewReader(conn).ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, line, "401")
	}
}

// TestAPIKeysAreLimited verifies that a user cannot have more than 1,000 API keys.
func TestAPIKeysAreLimited(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	run(t, s.db, `INSERT INTO api_keys (id, user_id, name, key_id, created_at)
		SELECT gen_random_uuid(), user_id, '', key_id, created_at FROM api_keys, generate_series(1, 998)`)
	root.do("POST", "/api-keys", nil).expect(200)
	root.do("POST", "/api-keys", nil).refuses(409, "limit_reached")
}

func padding(size int) string { return strings.Repeat("x", size) }
