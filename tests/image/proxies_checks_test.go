//go:build e2e && linux

package image

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkEscapes writes and reads entries whose keys contain characters that a path must percent-encode.
func checkEscapes(c proxied) {
	c.t.Helper()
	for key, escaped := range map[string]string{
		"payments/stripe":      "payments%2Fstripe",
		"payments/stripe/live": "payments%2Fstripe%2flive",
		"app:db:url":           "app%3Adb%3Aurl",
		"team/me@example.org":  "team%2Fme%40example.org",
		"under_score-1.0":      "under%5Fscore%2D1%2E0",
	} {
		value := fmt.Sprintf(`{"of":%q}`, key)
		status, body := c.exchange("POST", "/boxes/default/entries",
			strings.NewReader(fmt.Sprintf(`{"key":%q,"value":%s}`, key, value)))
		require.Equal(c.t, 201, status, body)
		status, body = c.exchange("GET", "/boxes/default/entries/"+escaped, nil)
		assert.Equal(c.t, 200, status, "%s: %s", escaped, body)
		assert.Equal(c.t, value, body)
		status, body = c.exchange("GET", "/boxes/default/entries/"+escaped+"/versions", nil)
		assert.Equal(c.t, 200, status, "%s: %s", escaped, body)
	}
	// If a proxy decoded the slash, the path would belong to another resource.
	status, _ := c.exchange("GET", "/boxes/default/entries/payments/stripe", nil)
	assert.Equal(c.t, 404, status)
}

// checkAddress verifies that audit events contain the client's real address. They must contain neither the proxy's
// address nor the false address that the client sends in X-Forwarded-For.
func checkAddress(c proxied) {
	c.t.Helper()
	status, body := c.exchange("GET", "/audit?action=entry.read", nil)
	require.Equal(c.t, 200, status, body)
	var page struct{ Events []struct{ Address string } }
	require.NoError(c.t, json.Unmarshal([]byte(body), &page))
	require.NotEmpty(c.t, page.Events)
	for _, event := range page.Events {
		assert.Equal(c.t, clientAddress, event.Address)
	}
	assert.NotContains(c.t, c.server.Log.String(), "ignoring X-Forwarded-For")
}

// checkBodies sends large bodies, with the header Content-Length and without it. The proxy must accept every body, so
// that only Lockbox refuses bodies that are too large.
func checkBodies(c proxied) {
	c.t.Helper()
	body := func(size int) string {
		return `{"key":"large","value":"` + strings.Repeat("x", size) + `"}`
	}
	status, answer := c.exchange("POST", "/boxes/default/entries", strings.NewReader(body(500<<10)))
	assert.Equal(c.t, 201, status, answer)
	status, answer = c.exchange("GET", "/boxes/default/entries/large", nil)
	assert.Equal(c.t, 200, status)
	assert.Len(c.t, answer, 500<<10+2)
	// net/http does not know the length of such a reader, so it sends the body in chunks.
	chunked := struct{ io.Reader }{strings.NewReader(body(400 << 10))}
	status, answer = c.exchange("POST", "/boxes/default/entries", chunked)
	assert.Equal(c.t, 201, status, answer)
	status, answer = c.exchange("POST", "/boxes/default/entries", strings.NewReader(body(600<<10)))
	assert.Equal(c.t, 413, status)
	assert.Contains(c.t, answer, "value_too_large", "the limit is that of Lockbox")
	// Lockbox refuses a body of this size before it has read all of it. The client can therefore lose the connection
	// before it receives the response.
	response, err := c.client.Do(c.request("POST", "/boxes/default/entries", strings.NewReader(body(2<<20))))
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return
	}
	require.NoError(c.t, err)
	text, err := io.ReadAll(response.Body)
	require.NoError(c.t, errors.Join(err, response.Body.Close()))
	assert.Equal(c.t, 413, response.StatusCode)
	assert.Contains(c.t, string(text), "body_too_large")
}

// checkStreams sends a request body slowly and reads a response slowly. The proxy must not write any part of the two
// bodies to a file.
func checkStreams(c proxied) {
	c.t.Helper()
	reader, writer := io.Pipe()
	done := make(chan string, 1)
	go func() {
		status, answer := c.exchange("POST", "/boxes/default/entries", reader)
		done <- fmt.Sprint(status, answer)
	}()
	_, err := writer.Write([]byte(`{"key":"streamed","value":"` + strings.Repeat(bodyCanary, 30_000)))
	require.NoError(c.t, err)
	time.Sleep(settle)
	assert.NotContains(c.t, filesOf(c.t, c.dir), bodyCanary, "the request body")
	_, err = writer.Write([]byte(`"}`))
	require.NoError(c.t, err)
	require.NoError(c.t, writer.Close())
	require.Equal(c.t, "201", (<-done)[:3])

	response, err := c.slow.Do(c.request("GET", "/boxes/default/entries/streamed", nil))
	require.NoError(c.t, err)
	require.Equal(c.t, 200, response.StatusCode)
	time.Sleep(settle)
	assert.NotContains(c.t, filesOf(c.t, c.dir), bodyCanary, "the response body")
	require.NoError(c.t, response.Body.Close())
}

// settle is the time that checkStreams waits before it looks for files. A proxy that buffers bodies in files would have
// written one by then.
const settle = 300 * time.Millisecond

const bodyCanary = "canary-of-bodies"

// checkMetricsHidden verifies that a client cannot read the metrics through the proxy with any spelling of the path.
func checkMetricsHidden(c proxied) {
	c.t.Helper()
	for _, path := range []string{
		"/metrics", "/%6detrics", "/metric%73", "//metrics", "/metrics/", "/./metrics", "/METRICS",
	} {
		status, body := c.exchange("GET", path, nil)
		assert.Equal(c.t, 404, status, path)
		assert.NotContains(c.t, body, "lockbox_build_info", path)
	}
}

// checkNoTrace verifies that the files of the proxy, including its log, contain no secret.
func checkNoTrace(c proxied) {
	c.t.Helper()
	files := filesOf(c.t, c.dir)
	for _, secret := range []string{c.key, "canary passphrase of the proxies", "root-password", bodyCanary} {
		assert.NotContains(c.t, files, secret)
	}
}

// TestProxiesRemoveTraceParent verifies that the example configurations remove the header traceparent. If a proxy
// passed this header on, a client could make Lockbox record traces.
func TestProxiesRemoveTraceParent(t *testing.T) {
	t.Parallel()
	for name, each := range proxies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "traceparent %q", r.Header.Values("traceparent"))
			}))
			t.Cleanup(server.Close)
			address, dir := each.start(t, server.URL)
			certificate, err := os.ReadFile(filepath.Join(dir, "lockbox.crt"))
			require.NoError(t, err)
			c := proxied{t: t, client: through(t, address, string(certificate), nil)}
			request := c.request("GET", "/boxes", nil)
			request.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
			response, err := c.client.Do(request)
			require.NoError(t, err)
			body, err := io.ReadAll(response.Body)
			require.NoError(t, errors.Join(err, response.Body.Close()))
			require.Equal(t, "traceparent []", string(body))
		})
	}
	text, err := os.ReadFile("../../deploy/proxies/traefik-lockbox.yml")
	require.NoError(t, err)
	require.Contains(t, string(text), `customRequestHeaders: {traceparent: ""}`)
}

// filesOf returns the contents of all files below a folder, including deleted files that a process still has open. It
// skips files that are deleted while filesOf runs.
func filesOf(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			text, _ := os.ReadFile(path)
			all.Write(text)
		}
		return nil
	}))
	open, err := filepath.Glob("/proc/[0-9]*/fd/*")
	require.NoError(t, err)
	for _, path := range open {
		target, _ := os.Readlink(path)
		if strings.HasPrefix(target, dir+"/") && strings.HasSuffix(target, " (deleted)") {
			text, _ := os.ReadFile(path)
			all.Write(text)
		}
	}
	return all.String()
}
