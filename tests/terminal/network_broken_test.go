//go:build e2e

package terminal

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lockbox-go/lockbox/tests/rounds"
)

// TestBrokenConnectionIsNoSuccess checks that no command succeeds if the connection breaks before the response is
// complete. A write to a broken connection returns EPIPE. A write to a closed standard output also returns EPIPE.
// lockbox must distinguish these two errors. The value is large, so lockbox sends it with several writes. The first
// write succeeds, and a later write fails.
func TestBrokenConnectionIsNoSuccess(t *testing.T) {
	t.Parallel()
	value := filepath.Join(t.TempDir(), "value")
	require.NoError(t, os.WriteFile(value, bytes.Repeat([]byte("x"), 300_000), 0o600))
	// answer reads the beginning of the request, sends text and closes the connection.
	answer := func(text string) func(*net.TCPConn) {
		return func(conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 1<<16))
			_, _ = conn.Write([]byte(text))
			_ = conn.Close()
		}
	}
	for name, breakOff := range map[string]func(conn *net.TCPConn){
		"closes": func(conn *net.TCPConn) { _ = conn.Close() },
		"resets": func(conn *net.TCPConn) {
			_ = conn.SetLinger(0)
			_ = conn.Close()
		},
		"closes for reading": func(conn *net.TCPConn) {
			_ = conn.CloseRead()
			_ = conn.Close()
		},
		"reads and closes":    answer(""),
		"half a status line":  answer("HTTP/1.1 2"),
		"half a header":       answer("HTTP/1.1 201 Created\r\nETag: \"1\"\r\nContent-"),
		"headers only":        answer("HTTP/1.1 201 Created\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n"),
		"half a body":         answer("HTTP/1.1 201 Created\r\nETag: \"1\"\r\nContent-Length: 10\r\n\r\n12345"),
		"half a chunked body": answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := breaking(t, breakOff)
			var tries errgroup.Group
			tries.SetLimit(4)
			for i := range rounds.Choose(10, 40) {
				args := []string{"set", "prod/app", "@" + value}
				// Some of the following commands take longer than lockbox set, because lockbox retries their requests.
				// The test therefore runs each of the following commands only once.
				switch i {
				case 0:
					args = []string{"get", "prod/app"}
				case 1:
					args = []string{"delete", "prod/app"}
				case 2:
					args = []string{"users", "update", "anna", "--role", "admin"}
				case 3:
					args = []string{"box", "create", "prod"}
				}
				tries.Go(func() error {
					exitCode, message := call(t, url, args...)
					assert.Equal(t, 7, exitCode, "%s: %s", args, message)
					assert.Contains(t, message, "lockbox: ")
					// If the client could not connect, it sent no request.
					if args[0] == "set" && !strings.Contains(message, "dial tcp") {
						assert.Contains(t, message, "may or may not have been made")
					}
					return nil
				})
			}
			require.NoError(t, tries.Wait())
		})
	}
}
