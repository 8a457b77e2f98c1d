package e2e

import (
	"bufio"
	bigendian "encoding/binary"
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// countingProxy forwards connections to a database. It counts the round trips. After a Sync message or a simple query,
// the client waits for the server, so each of these messages counts as one round trip.
type countingProxy struct {
	url   string
	trips atomic.Int64
}

// proxyTo starts a proxy to a database. It ends with the test.
func proxyTo(t *testing.T, database string) *countingProxy {
	t.Helper()
	config, err := pgconn.ParseConfig(database)
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	target := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(config.User, config.Password),
		Host:     listener.Addr().String(),
		Path:     config.Database,
		RawQuery: "sslmode=disable",
	}
	p := &countingProxy{url: target.String()}
	network, address := pgconn.NetworkAddress(config.Host, config.Port)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial(network, address)
			if err != nil {
				_ = client.Close()
				continue
			}
			go p.forward(server, client)
			go func() {
				_, _ = io.Copy(client, server)
				_ = client.Close()
			}()
		}
	}()
	return p
}

// forward passes the messages of a client to the database and counts round trips. Every message except the first begins
// with a byte that identifies its type.
func (p *countingProxy) forward(server, client net.Conn) {
	defer server.Close()
	in := bufio.NewReader(client)
	for typed := false; ; typed = true {
		header := make([]byte, 4, 5)
		if typed {
			header = header[:5]
		}
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		if typed && (header[0] == 'S' || header[0] == 'Q') {
			p.trips.Add(1)
		}
		rest := int64(bigendian.BigEndian.Uint32(header[len(header)-4:])) - 4
		if _, err := server.Write(header); err != nil {
			return
		}
		if _, err := io.CopyN(server, in, rest); err != nil {
			return
		}
	}
}

// TestSignInRoundTrips counts how many round trips to the database each kind of sign-in needs. Some requests also
// prepare statements, and therefore need more round trips. The test therefore sends each request six times and uses the
// smallest count.
func TestSignInRoundTrips(t *testing.T) {
	t.Parallel()
	const most = 6
	database := pgtest.New(t)
	proxy := proxyTo(t, database)
	s := startOn(t, proxy.url, "THROTTLE_FREE_ATTEMPTS=5", "DB_MAX_CONNS=4")
	root := s.initialize()
	root.user("plain")
	codedSecret := root.member("coded", "viewer")
	both := root.user("both").enrol("both")
	nextRecovery := 0
	recovery := func() string {
		nextRecovery++
		return both.RecoveryCodes[nextRecovery-1]
	}
	authenticate := func(name, password, code string) func() *answer {
		return func() *answer { return s.as("").do("POST", "/authenticate", passwordAndCode(name, password, code)) }
	}
	accounts := func(name, password, code string) func() *answer {
		body := passwordAndCode(name, password, code)
		return func() *answer { return s.as("").do("POST", "/api/v1/user/auth", body) }
	}
	type signer func(name, password, code string) func() *answer
	withCode := func(sign signer, name, password, secret string) func() *answer {
		return func() *answer { return sign(name, password, codeOf(t, secret, 0))() }
	}
	for _, test := range []struct {
		name    string
		status  int
		request func() *answer
		locked  bool
	}{
		{"password", 200, authenticate("plain", "plain-password", ""), false},
		{"password and code", 200, withCode(authenticate, "both", "both-password", both.Secret), false},
		{"recovery code", 200, func() *answer { return authenticate("both", "both-password", recovery())() }, false},
		{"wrong password", 401, authenticate("plain", "wrong", ""), false},
		{"wrong code", 401, authenticate("both", "both-password", "000000"), false},
		{"missing code", 401, authenticate("both", "both-password", ""), false},
		{"unknown user", 401, authenticate("ghost", "wrong", ""), false},
		{"invalid name", 401, authenticate("..", "wrong", ""), false},
		{"locked out", 429, authenticate("plain", "plain-password", ""), true},
		{"code", 200, withCode(accounts, "coded", "", codedSecret), false},
		{"code and password", 200, withCode(accounts, "both", "both-password", both.Secret), false},
		{"wrong code, accounts API", 400, accounts("coded", "", "000000"), false},
		{"locked out, accounts API", 429, accounts("coded", "", "000000"), true},
	} {
		least := int64(1000)
		for range 6 {
			run(t, database, `UPDATE one_time_codes SET last_step = 0`)
			run(t, database, `UPDATE throttle SET failures = 0, blocked_until = NULL`)
			if test.locked {
				run(t, database, `UPDATE throttle SET failures = 6, last_at = now(), reported = false,
					blocked_until = now() + interval '1 minute'`)
			}
			proxy.trips.Store(0)
			test.request().expect(test.status)
			least = min(least, proxy.trips.Load())
		}
		require.LessOrEqual(t, least, int64(most), test.name)
		if test.locked { // the lockout is in the audit log now
			proxy.trips.Store(0)
			test.request().expect(test.status)
			require.LessOrEqual(t, proxy.trips.Load(), int64(1), test.name)
		}
		t.Logf("%s: %d", test.name, least)
	}
}
