//go:build e2e && linux

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// longestRequest is the time within which every request must be answered. It includes a margin for a busy machine.
const longestRequest = 20*time.Second + time.Second

// everyPath starts one request of each kind, and all these requests run concurrently. It returns a function that waits
// for the answers. For each answer, this function calls check with the answer and the duration of its request. A box
// named default must exist, and must contain an entry named old.
func everyPath(t *testing.T, root client) (wait func(check func(name string, got *answer, took time.Duration))) {
	t.Helper()
	var group sync.WaitGroup
	var mu sync.Mutex
	type outcome struct {
		got  *answer
		took time.Duration
	}
	outcomes := make(map[string]outcome)
	send := func(name, method, path, body string, headers ...string) {
		group.Go(func() {
			begin := time.Now()
			got, err := root.try(method, path, body, headers...)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			outcomes[name] = outcome{got, time.Since(begin)}
		})
	}
	key := []string{"X-Encryption-Key", generatedKey}
	send("list", "GET", "/boxes", "")
	send("users", "GET", "/users", "")
	send("whoami", "GET", "/whoami", "")
	send("audit", "GET", "/audit", "")
	send("sign-in", "POST", "/authenticate", `{"username":"root","password":"root-password"}`)
	send("accounts", "GET", "/api/v1/user/list", "")
	send("first write", "POST", "/boxes/default/entries", `{"key":"new","value":1}`, key...)
	send("write", "POST", "/boxes/default/entries", `{"key":"old","value":2}`, key...)
	send("read", "GET", "/boxes/default/entries/old", "", key...)
	send("box", "POST", "/boxes/another", "")
	return func(check func(name string, got *answer, took time.Duration)) {
		group.Wait()
		for name, each := range outcomes {
			check(name, each.got, each.took)
		}
	}
}

// TestASilentDatabase covers two cases: the network to the database loses all packets, and the database server is
// frozen. Every request must get 503 within longestRequest, and the server must report that it is not ready. It must
// also stop on SIGTERM within a few more seconds.
func TestASilentDatabase(t *testing.T) {
	t.Parallel()
	for name, silence := range map[string]func(*killable, *pgtest.Proxy){
		"the network loses everything": func(_ *killable, between *pgtest.Proxy) {
			between.LoseOpen()
			between.LoseNew(true)
		},
		"the server is frozen": func(postgres *killable, _ *pgtest.Proxy) { postgres.freeze() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			postgres := startKillable(t)
			between := pgtest.NewProxy(t, postgres.url())
			p := serve(t, between.URL)
			root := p.initialize()
			root.do("POST", "/boxes/default", nil).expect(201)
			root.put("default", "old", `1`).expect(201)
			silence(postgres, between)
			wait := everyPath(t, root)
			require.Eventually(t, func() bool { return !p.ready() }, 10*time.Second, 100*time.Millisecond)
			begin := time.Now()
			code := make(chan int, 1)
			go func() { code <- p.terminate() }()
			wait(func(name string, got *answer, took time.Duration) {
				assert.Equal(t, 503, got.Status, "%s: %s", name, got.Body)
				assert.Less(t, took, longestRequest, name)
				if name == "accounts" {
					return // its errors have no codes
				}
				codes := []string{"database_unavailable"}
				if name == "write" || name == "box" {
					codes = append(codes, "outcome_unknown")
				}
				assert.Contains(t, codes, got.code(), "%s: %s", name, got.Body)
			})
			assert.Equal(t, 0, <-code, "%s", p.log)
			assert.Less(t, time.Since(begin), longestRequest+7*time.Second)
		})
	}
}

// TestLostConnections breaks all open connections to the database, in two rounds. New connections work. The server must
// recover without a restart.
func TestLostConnections(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, startKillable(t).url())
	p := serve(t, between.URL)
	root := p.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	root.put("default", "old", `1`).expect(201)
	for range 2 {
		everyPath(t, root)(func(string, *answer, time.Duration) {}) // opens several connections
		between.LoseOpen()
		// Requests on a lost connection may fail, but none may take longer than the deadline.
		everyPath(t, root)(func(name string, got *answer, took time.Duration) {
			assert.Less(t, took, longestRequest, "%s: %d", name, got.Status)
		})
		begin := time.Now()
		everyPath(t, root)(func(name string, got *answer, _ time.Duration) {
			assert.Less(t, got.Status, 500, "%s: %s", name, got.Body)
		})
		assert.Less(t, time.Since(begin), 5*time.Second)
		p.awaitReady(5 * time.Second)
	}
	require.Equal(t, 0, p.terminate(), "%s", p.log)
}

// freeze sends SIGSTOP to all processes of the PostgreSQL server. The processes resume when the test ends.
func (k *killable) freeze() {
	k.t.Helper()
	var pids []int
	for _, text := range pgtest.Column(k.t, k.url(), `SELECT pid::text FROM pg_stat_activity`) {
		pid, err := strconv.Atoi(text)
		require.NoError(k.t, err)
		pids = append(pids, pid)
	}
	pids = append([]int{parentOf(k.t, pids[0])}, pids...) // the postmaster first, because it starts processes
	k.t.Cleanup(func() {
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGCONT) // the process that served Column has ended
		}
	})
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
}

// parentOf returns the parent of a process.
func parentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "status"))
	require.NoError(t, err)
	for line := range strings.Lines(string(status)) {
		if name, value, _ := strings.Cut(line, ":"); name == "PPid" {
			parent, err := strconv.Atoi(strings.TrimSpace(value))
			require.NoError(t, err)
			return parent
		}
	}
	require.Fail(t, "the status has no PPid", "%s", status)
	return 0
}
