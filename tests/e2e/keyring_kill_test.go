//go:build e2e

package e2e

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// fuse is a proxy in front of a database. The fuse passes messages from the server to the database. A test stores a
// number of messages in the field named left. After the fuse has passed this number of messages, the next message
// breaks all connections.
type fuse struct {
	t        *testing.T
	listener net.Listener
	database string
	left     atomic.Int64
	mu       sync.Mutex
	open     []net.Conn
}

// If the field named left has the value unlimited, the fuse breaks no connection.
const unlimited = 1 << 40

// startFuse starts a fuse and returns it. It also returns the URL with which a server connects to the database through
// the fuse.
func startFuse(t *testing.T, database string) (f *fuse, through string) {
	t.Helper()
	address, err := url.Parse(database)
	require.NoError(t, err)
	network, target := "tcp", address.Host
	if host := address.Query().Get("host"); host != "" { // a Unix socket
		network, target = "unix", host+"/.s.PGSQL."+address.Query().Get("port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test listener
	require.NoError(t, err)
	f = &fuse{t: t, listener: listener, database: database}
	f.left.Store(unlimited)
	t.Cleanup(func() {
		_ = listener.Close()
		f.blow()
	})
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, target) //nolint:noctx // a test connection
			if err != nil {
				_ = client.Close()
				continue
			}
			f.mu.Lock()
			f.open = append(f.open, client, server)
			f.mu.Unlock()
			go func() { _, _ = io.Copy(client, server) }()
			go f.pass(client, server)
		}
	}()
	address.Host = listener.Addr().String()
	query := address.Query()
	query.Del("host")
	query.Del("port")
	query.Set("sslmode", "disable")
	address.RawQuery = query.Encode()
	return f, address.String()
}

// The pass method copies data from the Lockbox server to the database. Each block of data that it reads counts as one
// message.
func (f *fuse) pass(client, server net.Conn) {
	buffer := make([]byte, 1<<20)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if f.left.Add(-1) < 0 {
			f.blow()
			return
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// blow breaks all connections.
func (f *fuse) blow() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, each := range f.open {
		_ = each.Close()
	}
	f.open = nil
}

// TestRemovalIsKilledAtEachStatement repeats a request that removes a member and changes the box key. During each
// request, the connection to the database breaks. With each repetition, it breaks one message later. Afterwards, the
// database must contain either both changes or none of them.
func TestRemovalIsKilledAtEachStatement(t *testing.T) {
	t.Parallel()
	f, database := startFuse(t, pgtest.New(t))
	s := startOn(t, database)
	root := s.initialize()
	root.user("anna")
	root.user("boris")
	anna, boris := s.holder("anna"), s.holder("boris")
	anna.box("prod")
	plan := anna.plan("prod")
	tag := anna.first("prod", plan).expect(201).tag()
	anna.putUnder(plan, "prod", "entry", `1`).expect(201)
	undone, done := 0, 0
	for messages := int64(0); done < 2; messages++ {
		require.Less(t, messages, int64(200), "the request never succeeded")
		if len(plan.Recipients) == 1 {
			settled(func() *answer {
				return anna.do("POST", "/boxes/prod/users", `{"username":"boris"}`)
			}).expect(201)
			plan = anna.granted(plan, boris)
			tag = settled(func() *answer { return anna.replace("prod", plan, tag) }).expect(200).tag()
		}
		next := anna.rekeyed(plan)
		f.left.Store(messages)
		got := anna.replace("prod", next, tag, "boris")
		f.left.Store(unlimited)
		require.Contains(t, []int{200, 503}, got.Status, "%s", got.Body)

		// These queries connect to the database directly.
		members := number(t, f.database, `SELECT count(*) FROM box_users`)
		removals := number(t, f.database, `SELECT count(*) FROM events WHERE action = 'box-user.remove'`)
		newest := number(t, f.database, `SELECT max(sequence) FROM box_keyrings`)
		inForce := text(t, f.database, `SELECT encode(box_key_id, 'hex') FROM boxes`)
		require.Equal(t, inForce, text(t, f.database, `SELECT encode(box_key_id, 'hex') FROM entries`))
		require.Equal(t, inForce, text(t, f.database,
			`SELECT encode(key_id, 'hex') FROM box_keyrings ORDER BY sequence DESC LIMIT 1`))
		if members == 2 {
			require.Equal(t, 503, got.Status)
			require.Equal(t, int(plan.Sequence), newest)
			require.Equal(t, done, removals)
			undone++
		} else {
			require.Equal(t, 1, members)
			require.Equal(t, int(next.Sequence), newest)
			require.Equal(t, done+1, removals)
			plan, done = next, done+1
		}
		tag = settled(func() *answer { return anna.do("GET", "/boxes/prod/keyring", nil) }).expect(200).tag()
	}
	require.Greater(t, undone, 5, "the request was broken in the middle")
}

// settled repeats a request as long as the status is 503, because the server may still have broken connections.
func settled(request func() *answer) *answer {
	got := request()
	for tries := 0; got.Status == 503 && tries < 50; tries++ {
		got = request()
	}
	return got
}
