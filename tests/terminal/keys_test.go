//go:build unix

package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// lifeline is a proxy in front of a server. After a given number of entry writes, it blocks further writes. A test can
// then kill the client between two writes.
type lifeline struct {
	*httptest.Server

	keys atomic.Int32 // requests with an encryption key

	mu      sync.Mutex
	left    int           // writes until the proxy stops; negative for no stop
	pending int           // writes that the server has not answered yet
	held    bool          // a write was stopped
	dead    chan struct{} // closed when a write was stopped and none is pending
}

func newLifeline(t *testing.T, server string) *lifeline {
	t.Helper()
	target, err := url.Parse(server)
	require.NoError(t, err)
	l := &lifeline{left: -1}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Encryption-Key") != "" {
			l.keys.Add(1)
		}
		// The proxy must forward the request even if the client ends before the response.
		passed := r.WithContext(context.WithoutCancel(r.Context()))
		if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/entries") {
			proxy.ServeHTTP(w, passed)
			return
		}
		if !l.begin() {
			_, _ = io.Copy(io.Discard, r.Body) // a server notices a closed connection only after it has read the body
			<-r.Context().Done()
			return
		}
		defer l.end()
		proxy.ServeHTTP(w, passed)
	}))
	t.Cleanup(l.Close)
	return l
}

// The begin method counts a write and reports whether the proxy may forward it.
func (l *lifeline) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left == 0 {
		l.held = true
		l.settle()
		return false
	}
	l.left--
	l.pending++
	return true
}

// end counts an answered write.
func (l *lifeline) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending--
	l.settle()
}

// settle closes the channel in the field dead if the proxy has blocked a write and the server has answered all earlier
// writes. The caller must hold mu.
func (l *lifeline) settle() {
	if l.held && l.pending == 0 && l.dead != nil {
		close(l.dead)
		l.dead = nil
	}
}

// The after method sets the number of writes that the proxy forwards. A negative number means that it forwards all
// writes. The returned channel is closed when the proxy has blocked a write and no other write is pending.
func (l *lifeline) after(writes int) (dead <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left, l.held, l.dead = writes, false, make(chan struct{})
	return l.dead
}

// The with method runs lockbox with the given text as standard input.
func (h home) with(stdin string, args ...string) string {
	h.t.Helper()
	command := exec.Command(binary, args...)
	command.Env, command.Stdin = h.environ(), strings.NewReader(stdin)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	require.NoError(h.t, command.Run(), "%s %s", args, &errs)
	return out.String()
}

// The fails method runs lockbox without a terminal and checks the exit code. It returns the error.
func (h home) fails(want int, args ...string) string {
	h.t.Helper()
	out, err := h.run(args...)
	var exit *exec.ExitError
	require.ErrorAs(h.t, err, &exit, "%s: %s", args, out)
	require.Equal(h.t, want, exit.ExitCode(), "%s: %s", args, out)
	return out
}

// boxOf creates a home directory with an identity of root. It also creates the box prod with a keyring and the given
// number of entries. Commands with this home directory send their requests through the returned proxy.
func boxOf(t *testing.T, entries int) (home, *lifeline) {
	t.Helper()
	h := newHome(t)
	proxy := newLifeline(t, h.server.URL)
	h.with("root-password\n", "login", proxy.URL, "-u", "root", "--password-stdin")
	h.must("identity", "create")
	h.must("box", "create", "prod")
	values := map[string]string{}
	for i := range entries {
		values[fmt.Sprintf("entry%05d", i)] = fmt.Sprint(i)
	}
	text, err := json.Marshal(values)
	require.NoError(t, err)
	path := filepath.Join(h.dir, "values.json")
	require.NoError(t, os.WriteFile(path, text, 0o600))
	h.must("import", "prod/e", path, "--each")
	return h, proxy
}

// underKey counts the current versions of all entries. The result current is the number of versions under the current
// box key. The result other is the number of versions under other keys.
func (h home) underKey() (current, other int) {
	h.t.Helper()
	const count = `SELECT count(*) FROM entry_versions v JOIN entries e ON e.box_id = v.box_id AND e.key = v.key
		AND e.version = v.version JOIN boxes b ON b.id = v.box_id WHERE v.box_key_id IS `
	return pgtest.Number(h.t, h.server.Database, count+"NOT DISTINCT FROM b.box_key_id"),
		pgtest.Number(h.t, h.server.Database, count+"DISTINCT FROM b.box_key_id")
}

// killRewrites runs lockbox box rekey --rewrite several times. It kills each run after the given number of writes.
func (h home) killRewrites(proxy *lifeline, times, writes int) {
	h.t.Helper()
	for range times {
		dead := proxy.after(writes)
		command := exec.Command(binary, "box", "rekey", "prod", "--rewrite")
		command.Env = h.environ()
		var errs bytes.Buffer
		command.Stderr = &errs
		require.NoError(h.t, command.Start())
		select {
		case <-dead:
		case <-time.After(5 * time.Minute):
			h.t.Errorf("the proxy saw no %d writes: %s", writes, &errs)
		}
		require.NoError(h.t, command.Process.Kill())
		_ = command.Wait()
	}
	proxy.after(-1)
}

// TestKeyringGone covers a server whose database was restored from a backup. Such a server may return no keyring, or a
// keyring that is older than the newest keyring that the client has seen. The commands must then send no encryption
// key. The command lockbox box repair must store the newest keyring again.
func TestKeyringGone(t *testing.T) {
	t.Parallel()
	h, proxy := boxOf(t, 1)
	h.must("box", "rekey", "prod")
	require.Contains(t, h.must("box", "keyring", "prod"), "PAST NUMBER")
	run := func(sql string) {
		t.Helper()
		pgtest.Column(t, h.server.Database, "WITH done AS ("+sql+" RETURNING 1) SELECT count(*)::text FROM done")
	}
	// The backup is older than the key change.
	run(`DELETE FROM box_keyrings WHERE sequence = 2`)
	const restored = ` SET box_key_id = (SELECT key_id FROM box_keyrings)`
	run(`UPDATE boxes` + restored)
	run(`UPDATE entries` + restored)
	proxy.keys.Store(0)
	require.Contains(t, h.fails(6, "get", "prod/e/entry00000"), "lockbox box repair prod")
	require.Contains(t, h.fails(6, "set", "prod/e/entry00000", "x"), "nothing was sent")
	require.Zero(t, proxy.keys.Load())
	h.must("box", "repair", "prod")
	require.Equal(t, "0", h.must("get", "prod/e/entry00000", "--raw"))
	require.Contains(t, h.must("box", "show", "prod"), "number 3")

	// The backup is older than the keyring.
	run(`DELETE FROM box_keyrings`)
	run(`UPDATE boxes SET box_key_id = NULL`)
	run(`UPDATE entries SET box_key_id = NULL`)
	proxy.keys.Store(0)
	for _, args := range [][]string{
		{"get", "prod/e/entry00000"}, {"set", "prod/e/entry00000", "x"}, {"box", "keyring", "prod"},
		{"box", "rekey", "prod"}, {"run", "prod/e/entry00000", "--", "true"}, {"box", "adopt", "prod", "--yes"},
	} {
		require.Contains(t, h.fails(6, args...), "had a keyring, and the server has none now", args)
	}
	require.Zero(t, proxy.keys.Load())
	h.must("box", "repair", "prod")
	require.Equal(t, "0", h.must("get", "prod/e/entry00000", "--raw"))
	h.must("set", "prod/e/entry00000", "after")
}

// TestOtherInstallation covers two changes that a client must notice: a known URL leads to another server, or a known
// server has another URL. The user must be able to accept either change.
func TestOtherInstallation(t *testing.T) {
	t.Parallel()
	h, _ := boxOf(t, 1)
	direct := func(args ...string) []string { return append(args, "--profile", "direct") }
	h.with("root-password\n", direct("login", h.server.URL, "-u", "root", "--password-stdin")...)
	require.Contains(t, h.fails(6, direct("identity", "unlock", "--passphrase-file", filepath.Join(h.dir, "x"))...),
		"lockbox login --accept-installation")
	h.with("root-password\n", direct("login", "-u", "root", "--password-stdin", "--accept-installation")...)
	h.with(h.must("identity", "export", "--profile", "default"), direct("identity", "import", "--identity-file",
		"/dev/stdin")...)
	require.Equal(t, "0", h.must(direct("get", "prod/e/entry00000", "--raw")...))
	out := h.fails(6, "get", "prod/e/entry00000", "--profile", "default")
	require.Contains(t, out, "this installation is known under")
}
