package terminal

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The call function runs lockbox with the given URL as the URL of the server. It returns the exit code and the text on
// standard error.
func call(t *testing.T, url string, args ...string) (exitCode int, message string) {
	t.Helper()
	command := exec.Command(binary, args...)
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.DevNull, "LOCKBOX_API_URL=" + url,
		"LOCKBOX_API_KEY=key", "LOCKBOX_ENCRYPTION_KEY=" + encryptionKey}
	var errs bytes.Buffer
	command.Stderr = &errs
	err := command.Run()
	if command.ProcessState == nil {
		t.Error(err)
		return -1, ""
	}
	return command.ProcessState.ExitCode(), errs.String()
}

// breaking starts a server. The server calls breakOff with each accepted connection.
func breaking(t *testing.T, breakOff func(conn *net.TCPConn)) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if tcp, ok := conn.(*net.TCPConn); ok {
				go breakOff(tcp)
			}
		}
	}()
	return "http://" + listener.Addr().String()
}

// TestProxyErrors checks the message about a response that a proxy wrote instead of Lockbox. The message contains the
// status and a remedy.
func TestProxyErrors(t *testing.T) {
	t.Parallel()
	for status, test := range map[int]struct {
		exitCode int
		remedy   string
	}{
		301: {1, "the server redirects"},
		401: {3, "Authorization header"},
		403: {4, "access rules"},
		404: {5, "check URL"},
		413: {2, "client_max_body_size"},
		429: {7, "rate of requests"},
		500: {1, "check URL"},
		502: {7, "check that the server runs"},
		503: {7, "check that the server runs"},
		504: {7, "check that the server runs"},
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(status)
				_, _ = fmt.Fprint(w, "<html>"+http.StatusText(status))
			}))
			t.Cleanup(server.Close)
			exitCode, message := call(t, server.URL, "set", "prod/app", "value")
			assert.Equal(t, test.exitCode, exitCode)
			assert.Contains(t, message, fmt.Sprintf("the server answered %d %s: ", status, http.StatusText(status)))
			assert.Contains(t, message, test.remedy)
			if status != http.StatusMovedPermanently {
				assert.Contains(t, message, "does not come from Lockbox")
			}
		})
	}
}

// TestRetryTimeOnce checks that a message states exactly once when to try again. Some of the texts from the server
// already contain this time, and others do not.
func TestRetryTimeOnce(t *testing.T) {
	t.Parallel()
	for detail, code := range map[string]string{
		"too many wrong attempts; try again in 29 seconds": "throttled",
		"the server is busy: try again in a moment":        "busy",
		"too many wrong attempts":                          "throttled",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "29")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = fmt.Fprintf(w, `{"status":429,"code":%q,"detail":%q}`, code, detail)
		}))
		t.Cleanup(server.Close)
		exitCode, message := call(t, server.URL, "whoami")
		assert.Equal(t, 7, exitCode)
		assert.Equal(t, 1, strings.Count(message, "try again in"), message)
		assert.Contains(t, message, detail)
	}
}

// TestRetryTimeOfProxies checks the message about a response from a proxy. The message must contain "try again" exactly
// once, together with the time from the header Retry-After.
func TestRetryTimeOfProxies(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 502, 503, 504} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "29")
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		exitCode, message := call(t, server.URL, "whoami")
		assert.Equal(t, 7, exitCode)
		assert.Equal(t, 1, strings.Count(message, "try again"), message)
		assert.Contains(t, message, "; try again in 29s")
	}
}
