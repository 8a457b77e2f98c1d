//go:build e2e && linux

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/engine"
)

// TestDropletsAtOnce adds ten droplets at the same time, through two servers. It verifies that these droplets get the
// ten lowest numbers.
func TestDropletsAtOnce(t *testing.T) {
	y := openYard(t, "DROPLET_PREFIX=many-")
	other := startOn(t, y.db, yardSettings(y.engine, "DROPLET_PREFIX=many-")...)
	y.root.box("many")
	y.root.share("many", "manager", "createEntry")
	c := &cluster{
		t:    t,
		a:    y.server,
		b:    other,
		root: y.root,
	}
	answers := c.times(10, func(i int, s *server) *answer {
		body := any(nil)
		if i < 4 {
			body = `{"box":"many"}`
		}
		return y.manager.at(s).do("POST", "/api/v1/droplet/add", body, sealed...)
	})
	keys := map[string]bool{}
	for _, got := range answers {
		for _, each := range read[[]shownDroplet](got.expect(200)) {
			if each.PrivateKey != "" {
				keys[each.Name] = true
			}
		}
	}
	require.Len(t, keys, 6, "six of them got their keys in the answer")
	names := namesOf(y.viewer.at(other).droplets("GET", "/list", nil))
	slices.Sort(names)
	want := make([]string, 10)
	for i := range want {
		want[i] = fmt.Sprintf("many-%02d", i+1)
	}
	require.Equal(t, want, names)
	require.Len(t, read[[]string](y.root.do("GET", "/boxes/many/entries", nil).expect(200)), 4)

	// Send twelve concurrent requests. Ten of these requests delete five droplets, so two requests delete each of the
	// five droplets. The other two add a droplet.
	answers = c.times(12, func(i int, s *server) *answer {
		if i >= 10 {
			return y.manager.at(s).do("POST", "/api/v1/droplet/add", `{"box":"many"}`, sealed...)
		}
		return y.manager.at(s).do("DELETE", fmt.Sprintf("/api/v1/droplet/delete/many-%02d", i/2+1), nil)
	})
	for i, got := range answers {
		if i < 10 && got.Status == 400 {
			require.Contains(t, got.string("error"), "No such container: many-")
			continue
		}
		got.expect(200)
	}
	left := namesOf(y.viewer.droplets("GET", "/list", nil))
	require.Equal(t, len(left), number(t, y.db, `SELECT count(*) FROM droplets WHERE busy_until IS NULL`))
	require.Equal(t, 0, number(t, y.db, `SELECT count(*) FROM droplets WHERE busy_until IS NOT NULL`))
	for _, name := range []string{"many-06", "many-07", "many-08", "many-09", "many-10"} {
		require.Contains(t, left, name)
	}
	require.Empty(t, append(y.errors(), other.errors()...))
}

// TestEngineIsKilledDuringAnAdd kills the Docker engine while the server adds a droplet. After the engine has
// restarted, the droplet must either be complete, with its entry, or be removed.
func TestEngineIsKilledDuringAnAdd(t *testing.T) {
	y := openYard(t)
	y.root.box("servers")
	y.root.share("servers", "manager", "createEntry")
	before := time.Now()
	y.manager.droplets("POST", "/add", `{"box":"servers"}`, sealed...)
	took := time.Since(before)
	statuses := map[int]int{}
	for i := range 10 {
		answered := make(chan *answer, 1)
		go func() { answered <- y.manager.do("POST", "/api/v1/droplet/add", `{"box":"servers"}`, sealed...) }()
		time.Sleep(took * time.Duration(i) / 6) // the first add after a start is slower
		y.engine.Kill()
		began := time.Now()
		got := <-answered
		require.Less(t, time.Since(began), 6*time.Second)
		statuses[got.Status]++
		t.Log(i, got.Status, y.phases())
		switch got.Status {
		case 200:
		case 400: // a killed engine may still hold a port
			require.Regexp(t, "already (allocated|in use)", got.string("error"))
		default:
			got.failsUnnumbered(503)
		}
		y.engine.Again()
		y.consistent("servers", 30*time.Second)
	}
	t.Log(statuses)
	require.NotZero(t, statuses[503])
	for _, each := range y.viewer.droplets("GET", "/list", nil) {
		y.manager.droplets("DELETE", "/delete/"+each.Name, nil)
	}
	require.Equal(t, 0, number(t, y.db, `SELECT count(*) FROM droplets`))
	require.Empty(t, y.engine.Docker("ps", "-aq"))
	require.Empty(t, y.errors())
}

// phases lists the build phases of the interrupted droplets.
func (y *yard) phases() string {
	return text(y.t, y.db, `SELECT COALESCE(string_agg(CASE WHEN busy_until IS NULL THEN 'whole' WHEN entry_version
		> 0 THEN 'key written'
		ELSE 'begun' END, ', '), 'nothing') FROM droplets`)
}

// TestServerIsKilledDuringAnAdd kills a server while it adds a droplet. After the lease of the build has expired,
// another server must remove the remains of the build.
func TestServerIsKilledDuringAnAdd(t *testing.T) {
	y := openYard(t)
	y.root.box("servers")
	y.root.share("servers", "manager", "createEntry")
	for _, patience := range []time.Duration{10, 40, 70, 100, 150, 250} {
		doomed := serve(t, y.db, yardSettings(y.engine)...)
		go func() {
			_, _ = y.manager.at(&doomed.server).try("POST", "/api/v1/droplet/add", `{"box":"servers"}`, sealed...)
		}()
		time.Sleep(patience * time.Millisecond) // the kill hits another phase of the add each time
		doomed.kill()
		left := y.viewer.droplets("GET", "/list", nil)
		busy := number(t, y.db, `SELECT count(*) FROM droplets WHERE busy_until IS NOT NULL`)
		// The lease of the build is still valid. While it is valid, the other server must not remove anything, because
		// the engine may still create the container.
		require.GreaterOrEqual(t, len(y.viewer.droplets("GET", "/list", nil)), len(left), "the build may still run")
		require.Equal(t, busy,
			number(t, y.db, `SELECT count(*) FROM droplets WHERE busy_until > now() + interval '1 minute'`))
		// The lease lasts two minutes. The following statement ends it immediately.
		run(t, y.db, `UPDATE droplets SET busy_until = now() WHERE busy_until IS NOT NULL`)
		y.consistent("servers", 20*time.Second)
		if busy > 0 {
			require.Equal(t, busy,
				number(t, y.db,
					`SELECT count(*) FROM events WHERE action = 'droplet.delete' AND actor_name = '(service)' AND at `+
						`> now() - interval '20 seconds'`))
			run(t, y.db, `UPDATE events SET at = at - interval '1 hour'`)
		}
	}
}

// TestAFrozenEngine freezes the Docker engine. Every request about droplets must get 503 within five seconds. When the
// engine resumes, the server must complete the interrupted work.
func TestAFrozenEngine(t *testing.T) {
	y := openYard(t)
	y.root.box("servers")
	y.root.share("servers", "manager", "createEntry")
	y.manager.droplets("POST", "/add", `{"box":"servers"}`, sealed...)
	y.engine.Freeze()
	var group sync.WaitGroup
	for _, line := range dropletRequests {
		group.Go(func() {
			body := any(nil)
			if line[0] == "POST" {
				body = `{"box":"servers"}`
			}
			began := time.Now()
			got := y.manager.do(line[0], "/api/v1/droplet"+line[1], body, sealed...)
			assert.Less(t, time.Since(began), 5*time.Second, got.request)
			assert.Equal(t, 503, got.Status, got.request)
		})
	}
	group.Wait()
	y.root.do("GET", "/boxes/servers/entries", nil).expect(200)
	y.engine.Thaw()
	y.consistent("servers", 20*time.Second)

	// The engine freezes while it stops a droplet. The program in the droplet has ten seconds to end. The server waits
	// five seconds more for the engine.
	y.manager.droplets("POST", "/add", `{"image":"`+engine.StubbornImage+`"}`)
	y.inside(2)
	answered := make(chan *answer, 1)
	began := time.Now()
	go func() { answered <- y.manager.do("PATCH", "/api/v1/droplet/stop/droplet02", nil) }()
	time.Sleep(2 * time.Second) // within the ten seconds, before the engine's answer
	y.engine.Freeze()
	(<-answered).failsUnnumbered(503)
	require.InDelta(t, 15, time.Since(began).Seconds(), 2)
	y.engine.Thaw()
	require.Eventually(t, func() bool {
		return strings.HasPrefix(y.viewer.droplets("GET", "/list", nil)[0].Status, "Exited")
	}, 20*time.Second, 200*time.Millisecond)
	require.Equal(t, 1, number(t, y.db,
		`SELECT count(*) FROM events WHERE action = 'droplet.stop' AND outcome = 'failed' AND target = 'droplet02'`))
	require.Empty(t, y.errors())
}
