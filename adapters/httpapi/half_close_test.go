package httpapi_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
	"github.com/lockbox-go/lockbox/domain"
)

// accessLog keeps the lines of a log. It is safe for concurrent use.
type accessLog struct {
	mu    sync.Mutex
	lines []string
}

func (l *accessLog) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

// statuses returns the statuses of the answered requests, in the order of the log.
func (l *accessLog) statuses(t *testing.T) (statuses []int) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		var fields struct {
			Msg    string
			Status int
		}
		require.NoError(t, json.Unmarshal([]byte(line), &fields))
		if fields.Msg == "request" {
			statuses = append(statuses, fields.Status)
		}
	}
	return statuses
}

// waitingAPI is an API whose requests with a token wait until the test closes the channel in the field release, and
// then fail with 401. Each request sends its context to the channel in the field started.
type waitingAPI struct {
	*httpapi.API
	log     *accessLog
	started chan context.Context
	release chan struct{}
}

func newWaitingAPI() *waitingAPI {
	w := &waitingAPI{log: &accessLog{}, started: make(chan context.Context, 9), release: make(chan struct{})}
	w.API = httpapi.New(httpapi.Config{
		Verify: func(ctx context.Context, _ string) (domain.Credential, error) {
			w.started <- ctx
			select {
			case <-w.release:
				return domain.Credential{}, domain.ErrUnauthenticated
			case <-ctx.Done():
				return domain.Credential{}, ctx.Err()
			}
		},
		Log:          slog.New(slog.NewJSONHandler(w.log, nil)),
		Metrics:      prometheus.NewRegistry(),
		MaxBodyBytes: 1024,
	})
	return w
}

// halfClosedRequests are complete requests with a token in the header or in the body. The text "pipelined" consists of
// two requests.
var halfClosedRequests = map[string]string{
	"GET":    "GET /boxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n\r\n",
	"HTTP10": "GET /boxes HTTP/1.0\r\nAuthorization: Bearer token\r\n\r\n",
	"length": "POST /api/v1/droplet/add HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
		"Content-Length: 24\r\n\r\n" + `{"access_token":"token"}`,
	"chunks": "DELETE /api/v1/user/delete/anna HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
		"Transfer-Encoding: chunked\r\n\r\n18\r\n" + `{"access_token":"token"}` +
		"\r\n0\r\n\r\n",
	"pipelined": "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" +
		"GET /boxes HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n\r\n",
}

// TestHalfClose verifies, over plain HTTP and TLS, that a client that closes its sending side after a complete request
// still gets the response. The log must have the status of the response.
func TestHalfClose(t *testing.T) {
	t.Parallel()
	for name, request := range halfClosedRequests {
		for _, withTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, withTLS), func(t *testing.T) {
				t.Parallel()
				api := newWaitingAPI()
				conn := dialWaiting(t, api, withTLS)
				_, err := io.WriteString(conn, request)
				require.NoError(t, err)
				require.NoError(t, conn.(interface{ CloseWrite() error }).CloseWrite())
				ctx := <-api.started
				time.Sleep(50 * time.Millisecond) // until the server has seen the end of the input
				require.NoError(t, ctx.Err())
				close(api.release)
				in := bufio.NewReader(conn)
				if name == "pipelined" {
					require.Equal(t, 200, readStatus(t, in))
				}
				require.Equal(t, 401, readStatus(t, in))
				_, err = in.ReadByte()
				require.ErrorIs(t, err, io.EOF) // while the server still waits for a reset
				require.Eventually(t, func() bool { return len(api.log.statuses(t)) == 1 }, 10*time.Second,
					5*time.Millisecond)
				require.Equal(t, []int{401}, api.log.statuses(t))
			})
		}
	}
}

// dialWaiting serves an API and connects to it.
func dialWaiting(t *testing.T, api *waitingAPI, withTLS bool) net.Conn {
	t.Helper()
	var config *tls.Config
	if withTLS {
		config = certificate(t)
	}
	address := serve(t, api.API, config, nil)
	conn := dial(t, address, address, withTLS)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

// readStatus reads a response and returns its status.
func readStatus(t *testing.T, in *bufio.Reader) int {
	t.Helper()
	response, err := http.ReadResponse(in, nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

// TestReset verifies that a RST cancels the request and is logged with status 499.
func TestReset(t *testing.T) {
	t.Parallel()
	for name, request := range halfClosedRequests {
		for _, withTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, withTLS), func(t *testing.T) {
				t.Parallel()
				api := newWaitingAPI()
				conn := dialWaiting(t, api, withTLS)
				_, err := io.WriteString(conn, request)
				require.NoError(t, err)
				ctx := <-api.started
				reset(t, conn)
				requireDone(ctx, t)
				require.Eventually(t, func() bool { return len(api.log.statuses(t)) == 1 }, 10*time.Second,
					5*time.Millisecond)
				require.Equal(t, []int{499}, api.log.statuses(t))
			})
		}
	}
}

// reset closes a connection with a RST.
func reset(t *testing.T, conn net.Conn) {
	t.Helper()
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	require.NoError(t, conn.(*net.TCPConn).SetLinger(0))
	require.NoError(t, conn.Close())
}

func requireDone(ctx context.Context, t *testing.T) {
	t.Helper()
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the request was not cancelled")
	}
}

// TestClose covers a client that closes its whole connection with a FIN. The request must run to its end. The log must
// have status 499, because the host of the client answers the response with a RST.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, request := range halfClosedRequests {
		for _, withTLS := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS %v", name, withTLS), func(t *testing.T) {
				t.Parallel()
				if name == "pipelined" {
					t.Log("the unread first response turns the FIN into a RST")
				}
				api := newWaitingAPI()
				conn := dialWaiting(t, api, withTLS)
				_, err := io.WriteString(conn, request)
				require.NoError(t, err)
				ctx := <-api.started
				require.NoError(t, conn.Close())
				time.Sleep(50 * time.Millisecond) // until the server has seen the end of the input
				if name != "pipelined" {
					require.NoError(t, ctx.Err())
				}
				close(api.release)
				require.Eventually(t, func() bool { return len(api.log.statuses(t)) == 1 }, 10*time.Second,
					5*time.Millisecond)
				require.Equal(t, []int{499}, api.log.statuses(t))
			})
		}
	}
}

// TestCloseOfTheServer verifies that closing the server cancels the request of a half-closed connection.
func TestCloseOfTheServer(t *testing.T) {
	t.Parallel()
	api := newWaitingAPI()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := api.Server()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(api.Listener(listener, nil)) }()
	conn := dial(t, listener.Addr().String(), "", false)
	_, err = io.WriteString(conn, halfClosedRequests["GET"])
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	ctx := <-api.started
	time.Sleep(50 * time.Millisecond) // until the server has seen the end of the input
	require.NoError(t, ctx.Err())
	require.NoError(t, server.Close())
	requireDone(ctx, t)
	require.True(t, errors.Is(<-ended, http.ErrServerClosed))
}

// TestCutBodyIsNoHalfClose verifies that a request is refused if a FIN arrives before the end of its body.
func TestCutBodyIsNoHalfClose(t *testing.T) {
	t.Parallel()
	api := newWaitingAPI()
	close(api.release)
	address := serve(t, api.API, nil, nil)
	for _, rest := range []string{"Content-Length: 100\r\n\r\n{\"a\":", "Content-Length: 1\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n5\r\n{\"a\""} {
		conn := dial(t, address, "", false)
		_, err := io.WriteString(conn, "POST /authenticate HTTP/1.1\r\nHost: x\r\n"+
			"Content-Type: application/json\r\n"+rest)
		require.NoError(t, err)
		require.NoError(t, conn.(*net.TCPConn).CloseWrite())
		require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		text, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(text), "HTTP/1.1 400 "), "%s", text)
		require.Contains(t, string(text), `"code":"body_unreadable"`)
	}
	require.Eventually(t, func() bool { return len(api.log.statuses(t)) == 3 }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, []int{400, 400, 400}, api.log.statuses(t))
}
