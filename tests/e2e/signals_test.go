//go:build e2e && linux

package e2e

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// securedProgram is a running lockbox process that serves HTTPS.
type securedProgram struct {
	*program
	authority *authority
	dir       string // of the files cert and key
	address   string
	pool      *x509.CertPool
}

// serveSecured starts the service with a certificate and waits until it is ready.
func serveSecured(t *testing.T) *securedProgram {
	t.Helper()
	p := &securedProgram{authority: newAuthority(t), dir: t.TempDir(), pool: x509.NewCertPool()}
	p.pool.AddCert(p.authority.certificate)
	p.renew(t)
	p.program = serveLater(t, pgtest.New(t), "TLS_CERT_FILE="+filepath.Join(p.dir, "cert"),
		"TLS_KEY_FILE="+filepath.Join(p.dir, "key"))
	p.address = strings.TrimPrefix(p.url, "http://")
	require.Eventually(t, func() bool {
		conn, err := tls.Dial("tcp", p.address, &tls.Config{RootCAs: p.pool})
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, time.Minute, 20*time.Millisecond, "%s", p.log)
	return p
}

// renew replaces the files of the certificate.
func (p *securedProgram) renew(t *testing.T) {
	t.Helper()
	certificate, key := p.authority.leaf()
	for name, text := range map[string]string{"cert": certificate, "key": key} {
		require.NoError(t, os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600))
	}
}

// dial opens a connection and returns the certificate that the server presents.
func (p *securedProgram) dial(t *testing.T) (*tls.Conn, *x509.Certificate) {
	t.Helper()
	conn, err := tls.Dial("tcp", p.address, &tls.Config{RootCAs: p.pool})
	require.NoError(t, err, "%s", p.log)
	t.Cleanup(func() { _ = conn.Close() })
	return conn, conn.ConnectionState().PeerCertificates[0]
}

// initBody is a complete body of POST /init.
const initBody = `{"username":"root","password":"a long password"}`

// beginInit sends POST /init without the last byte of the body.
func beginInit(t *testing.T, conn net.Conn) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "POST /init HTTP/1.1\r\nHost: lockbox\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\nConnection: close\r\n\r\n%s", len(initBody), initBody[:len(initBody)-1])
	require.NoError(t, err)
}

// finishInit sends the last byte and requires success.
func finishInit(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err := conn.Write([]byte(initBody[len(initBody)-1:]))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(answer), "HTTP/1.1 200"), "%.200s", answer)
}

// TestHangupReloadsTheCertificate verifies that new connections after SIGHUP get the new certificate, and that a
// request in flight still finishes. If the new files cannot be loaded, the server must continue to use the previous
// certificate.
func TestHangupReloadsTheCertificate(t *testing.T) {
	t.Parallel()
	p := serveSecured(t)
	inFlight, first := p.dial(t)
	beginInit(t, inFlight)
	p.renew(t)
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool {
		_, presented := p.dial(t)
		return !presented.Equal(first)
	}, 20*time.Second, 20*time.Millisecond, "%s", p.log)
	finishInit(t, inFlight)

	_, second := p.dial(t)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "key"), nil, 0o600))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "loading the TLS certificate failed") },
		20*time.Second, 20*time.Millisecond)
	_, presented := p.dial(t)
	require.True(t, presented.Equal(second))
	require.Zero(t, p.terminate(), "%s", p.log)
}

// TestHangupDoesNotEndTheServer sends SIGHUP to a server without TLS. The server must continue to run.
func TestHangupDoesNotEndTheServer(t *testing.T) {
	t.Parallel()
	p := serve(t, pgtest.New(t))
	for range 3 {
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGHUP))
	}
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "nothing to reload") }, 20*time.Second,
		20*time.Millisecond)
	require.True(t, p.ready())
	require.Zero(t, p.terminate(), "%s", p.log)
}

// TestDrainDelay verifies the order of a shutdown. First /readyz fails, but the server still accepts new connections.
// After the delay, the listener closes. A request in flight still finishes.
func TestDrainDelay(t *testing.T) {
	t.Parallel()
	const delay = 3 * time.Second
	p := serve(t, pgtest.New(t), "DRAIN_DELAY="+delay.String())
	address := strings.TrimPrefix(p.url, "http://")
	inFlight, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = inFlight.Close() })
	beginInit(t, inFlight)

	// Each of the following requests opens a new connection.
	fresh := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	status := func(path string) int {
		answer, err := fresh.Get(p.url + path)
		if err != nil {
			return 0
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	began := time.Now()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	var seen []int
	for len(seen) == 0 || seen[len(seen)-1] != 0 {
		if now := status("/readyz"); len(seen) == 0 || seen[len(seen)-1] != now {
			seen = append(seen, now)
			if now == 503 {
				require.Equal(t, 200, status("/healthz"))
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	require.Contains(t, [][]int{{200, 503, 0}, {503, 0}}, seen)
	require.GreaterOrEqual(t, time.Since(began), delay)
	finishInit(t, inFlight)
	require.Zero(t, p.await(), "%s", p.log)
}

// TestTerminationWithoutDelay verifies that a server without LOCKBOX_DRAIN_DELAY closes its listener immediately.
func TestTerminationWithoutDelay(t *testing.T) {
	t.Parallel()
	p := serve(t, pgtest.New(t))
	require.Zero(t, p.terminate(), "%s", p.log)
	_, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}
