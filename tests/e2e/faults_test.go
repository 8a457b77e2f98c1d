//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// writers write entries. Half of the writes create entries; the other half rewrite the same few entries. The writers
// record every write that was answered with 201.
type writers struct {
	kept map[string]string
	// unknown maps each key to the values that may have been written after the value in kept. The response to these
	// writes was 503 or was lost.
	unknown map[string][]string
	mu      sync.Mutex
	group   sync.WaitGroup
	stop    context.CancelFunc
	// odd is an unexpected status.
	odd []string
}

// startWriters starts four clients that write until stop is called. They tolerate failures of the server.
func startWriters(who client, round int) *writers {
	ctx, cancel := context.WithCancel(context.Background())
	w := &writers{kept: make(map[string]string), unknown: make(map[string][]string), stop: cancel}
	for i := range 4 {
		w.group.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				number := n
				if i%2 == 1 {
					number = n % 3
				}
				key := fmt.Sprintf("r%d/w%d/%d", round, i, number)
				w.write(who, key,
					fmt.Sprintf(`{"key":"%s","write":%d,"padding":"%s"}`, key, n, strings.Repeat("x", n%500)))
			}
		})
	}
	return w
}

func (w *writers) write(who client, key, value string) {
	got, err := who.try("POST", "/boxes/default/entries", `{"key":"`+key+`","value":`+value+`}`, "X-Encryption-Key",
		generatedKey)
	if err != nil {
		time.Sleep(5 * time.Millisecond) // the server is down
		got = &answer{Status: 503}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch got.Status {
	case 201:
		w.kept[key], w.unknown[key] = value, nil
	case 503:
		w.unknown[key] = append(w.unknown[key], value)
	default:
		w.odd = append(w.odd, fmt.Sprintf("%d %s", got.Status, got.Body))
	}
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.kept)
}

// The more method waits until the writers have created n more entries.
func (w *writers) more(t *testing.T, n int) {
	t.Helper()
	for before, deadline := w.count(), time.Now().Add(time.Minute); w.count() < before+
		n; time.Sleep(5 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "the writers do not get on: %v", w.odd)
	}
}

// end stops the writers. It then reads every key in kept. The value must be equal to the value in kept or to one of the
// later values in unknown.
func (w *writers) end(t *testing.T, reader client) {
	t.Helper()
	w.stop()
	w.group.Wait()
	require.Empty(t, w.odd)
	require.NotEmpty(t, w.kept)
	for key, value := range w.kept {
		got := reader.get("default", strings.ReplaceAll(key, "/", "%2F")).expect(200)
		require.Contains(t, append(w.unknown[key], value), string(got.Body),
			"what was kept, or what was written after it")
	}
}

// requireEveryVersionAudited checks that each version and its event were committed together.
func requireEveryVersionAudited(t *testing.T, database string) {
	t.Helper()
	require.Empty(t, text(t, database,
		`SELECT COALESCE(string_agg(key || ' has ' || version || ' versions and ' || count || ' events', ', '), '')
		FROM (SELECT e.key, e.version, count(v.id) FROM entries e LEFT JOIN events v ON v.box_id = e.box_id
			AND v.entry_key = e.key
			AND v.action = 'entry.write' AND v.outcome = 'success' GROUP BY e.box_id, e.key) counted
				WHERE version <> count`))
	require.Equal(t, number(t, database, `SELECT count(*) FROM entries WHERE deleted_at IS NULL AND version > 0`),
		number(t, database, `SELECT entry_count FROM boxes`))
}

func kills() int { return max(2, repeats()/50) }

func TestTheServerIsKilledUnderWriters(t *testing.T) {
	t.Parallel()
	database := startKillable(t).url()
	p := serve(t, database)
	root := p.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	for round := range kills() {
		w := startWriters(root.at(&p.server), round)
		w.more(t, 100)
		p.kill()
		p = serve(t, database)
		w.end(t, root.at(&p.server))
	}
	requireEveryVersionAudited(t, database)
}

func TestPostgresIsKilledUnderWriters(t *testing.T) {
	t.Parallel()
	postgres := startKillable(t)
	p := serve(t, postgres.url())
	root := p.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	for round := range kills() {
		w := startWriters(root, round)
		w.more(t, 100)
		require.NoError(t, postgres.live.Kill())
		require.False(t, p.ready())
		got, err := root.try("GET", "/boxes", "")
		require.NoError(t, err)
		require.Equal(t, 503, got.Status, "%s", got.Body)
		health, _, _ := command(t, postgres.url(), []string{"health"},
			"HTTP_ADDR="+strings.TrimPrefix(p.url, "http://"))
		require.Equal(t, 1, health)
		postgres.start()
		p.awaitReady(10 * time.Second)
		w.more(t, 100) // the same process, which was not restarted
		w.end(t, root)
	}
	requireEveryVersionAudited(t, postgres.url())
	require.Empty(t, p.errors())
}

func TestTheServerStopsUnderLoad(t *testing.T) {
	t.Parallel()
	database := startKillable(t).url()
	// The KDF settings make each sign-in slow. THROTTLE_FREE_ATTEMPTS prevents a lockout by the six concurrent
	// sign-ins.
	p := serve(t, database, "KDF_MEMORY_KIB=65536", "KDF_TIME=3", "THROTTLE_FREE_ATTEMPTS=100")
	root := p.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	w := startWriters(root, 0)
	w.more(t, 20)
	var slow sync.WaitGroup
	for range 6 {
		slow.Go(func() {
			got, err := p.as("").try("POST", "/authenticate", `{"username":"root","password":"root-password"}`)
			if err != nil || got.Status != 200 {
				t.Errorf("a request in flight was not answered: %v %+v", err, got)
			}
		})
	}
	require.Eventually(t, func() bool { return p.derivations() == 6 }, 20*time.Second, 5*time.Millisecond)
	begin := time.Now()
	require.Equal(t, 0, p.terminate(), "%s", p.log)
	slow.Wait()
	t.Logf("it took %v to stop", time.Since(begin))
	require.Contains(t, p.log.String(), "stopping: finishing requests in flight")
	p = serve(t, database)
	w.end(t, root.at(&p.server))
	require.Equal(t, 0, p.terminate())
}

func TestHealth(t *testing.T) {
	t.Parallel()
	p := serve(t, startKillable(t).url())
	address := "HTTP_ADDR=" + strings.TrimPrefix(p.url, "http://")
	code, _, log := command(t, p.db, []string{"health"}, address)
	require.Equal(t, 0, code, log)
	require.Equal(t, 0, p.terminate())
	code, _, log = command(t, p.db, []string{"health"}, address)
	require.Equal(t, 1, code)
	require.Contains(t, log, "not ready")
}

// TestDatabaseStartsLate starts the server before its database.
func TestDatabaseStartsLate(t *testing.T) {
	t.Parallel()
	postgres := startKillable(t)
	require.NoError(t, postgres.live.Stop())
	p := serveLater(t, postgres.url())
	impatient := serveLater(t, postgres.url())
	waiting := func(p *program) func() bool {
		return func() bool { return strings.Contains(p.log.String(), "the database does not answer yet") }
	}
	require.Eventually(t, waiting(p), 20*time.Second, 10*time.Millisecond)
	require.Eventually(t, waiting(impatient), 20*time.Second, 10*time.Millisecond)
	require.False(t, p.ready())
	begin := time.Now()
	impatient.terminate()
	require.Less(t, time.Since(begin), 5*time.Second, "it can be stopped while it waits")
	postgres.start()
	p.awaitReady(20 * time.Second)
	require.Contains(t, p.log.String(), "the database does not answer yet")
	p.initialize().do("GET", "/users", nil).expect(200)
}

func TestDev(t *testing.T) {
	t.Parallel()
	// The PostgreSQL user can enter these folders. If root runs lockbox dev, and this user cannot enter the given
	// folder, lockbox dev stores the data in /var/lib instead.
	one, two := openFolder(t), openFolder(t)
	dev := func(dir string) *program { return launch(t, []string{"dev", "--dir", dir}) }
	first := dev(one)
	first.url = first.firstURL()
	first.refusesOtherSites()
	root := first.initializeDev(one)
	root.do("POST", "/boxes/default", nil).expect(201)
	root.put("default", "entry", `"kept"`).expect(201)

	again := dev(one)
	require.Equal(t, 1, again.await())
	require.Contains(t, again.log.String(), "another program")
	beside := dev(two)
	beside.url = beside.firstURL()
	require.NotEqual(t, first.url, beside.url)
	beside.initializeDev(two).do("GET", "/users", nil).expect(200)
	require.Equal(t, `"kept"`, string(root.get("default", "entry").expect(200).Body))

	first.kill()
	restarted := dev(one)
	restarted.url = restarted.firstURL()
	require.Equal(t, `"kept"`, string(root.at(&restarted.server).get("default", "entry").expect(200).Body))
	require.Equal(t, 0, restarted.terminate(), "%s", restarted.log)
	require.Equal(t, 0, beside.terminate())
}

// refusesOtherSites sends requests as the web page of another site would send them, and a request without the init
// token. None of them may create the owner. With DNS rebinding, the Host header contains the name of the other site.
func (p *program) refusesOtherSites() {
	p.t.Helper()
	const body = `{"username":"evil","password":"evil-password"}`
	p.as("").do("POST", "/init", body).refuses(401, "init_token_required")
	for _, headers := range [][2]string{{"evil.example:5000", ""}, {"evil.example:5000", "http://evil.example:5000"},
		{"", "http://evil.example"}, {"", "null"}} {
		for _, path := range []string{"/init", "/authenticate", "/api/v1/user/auth"} {
			request, err := http.NewRequestWithContext(p.t.Context(), "POST", p.url+path, strings.NewReader(body))
			require.NoError(p.t, err)
			request.Header.Set("Content-Type", "application/json")
			if headers[0] != "" {
				request.Host = headers[0]
			}
			if headers[1] != "" {
				request.Header.Set("Origin", headers[1])
			}
			response, err := http.DefaultClient.Do(request)
			require.NoError(p.t, err)
			require.Equal(p.t, 403, response.StatusCode, "%s %v", path, headers)
			require.NoError(p.t, response.Body.Close())
		}
	}
}

// initializeDev creates the owner with the init token that lockbox dev printed. It also checks the file that contains
// the token. Only the user who runs the program may read this file.
func (p *program) initializeDev(dir string) client {
	p.t.Helper()
	found := regexp.MustCompile(`(?m)^INIT_TOKEN='(.+)'$`).FindStringSubmatch(p.out.String())
	require.NotNil(p.t, found, "%s", p.out)
	kept, err := os.ReadFile(filepath.Join(dir, "init-token"))
	require.NoError(p.t, err)
	require.Equal(p.t, found[1]+"\n", string(kept))
	info, err := os.Stat(filepath.Join(dir, "init-token"))
	require.NoError(p.t, err)
	require.Equal(p.t, os.FileMode(0o600), info.Mode().Perm())
	got := p.as("").do("POST", "/init", `{"username":"root","password":"root-password"}`, "X-Init-Token", found[1])
	return p.as(got.expect(200).string("apiKey"))
}

// TestRekeyIsKilled kills lockbox secret rekey after its first batches and runs it again.
func TestRekeyIsKilled(t *testing.T) {
	t.Parallel()
	p := serve(t, startKillable(t).url())
	root := p.initialize()
	root.do("POST", "/boxes/default", nil).expect(201)
	w := startWriters(root, 0)
	w.more(t, 1500)
	for range kills() {
		rekey := launch(t, []string{"secret", "rekey", "entry", "--grace", "1s"}, "DATABASE_URL="+p.db,
			"SECRET_KEY="+testSecret)
		for deadline := time.Now().Add(time.Minute); !strings.Contains(rekey.log.String(),
			" done"); time.Sleep(time.Millisecond) {
			require.True(t, time.Now().Before(deadline), "%s", rekey.log)
			select {
			case <-rekey.exited:
				deadline = time.Time{}
			default:
			}
		}
		rekey.kill()
		w.more(t, 50)
		code, out, log := command(t, p.db, []string{"secret", "status"})
		require.Equal(t, 0, code, log)
		require.Contains(t, out, "retired, rekey unfinished")
		code, out, log = command(t, p.db, []string{"secret", "rekey", "entry", "--grace", "1s"})
		require.Equal(t, 0, code, log)
		require.Contains(t, out, "the entry key is replaced")
	}
	rekeyed(t, p.db, domain.KeyForEntries, 1+2*kills()) // each run starts from the beginning
	w.end(t, root)
}

// TestSecretCommands covers the output and the effects of the operator's commands for the secret and the server keys.
func TestSecretCommands(t *testing.T) {
	t.Parallel()
	p := serve(t, startKillable(t).url())
	root := p.initialize()
	root.do("POST", "/api-keys", `{"name":"for the pipeline"}`).expect(200)
	code, out, log := command(t, p.db, []string{"secret", "rekey", "api-key"})
	require.Equal(t, 1, code)
	require.Contains(t, out, "for the pipeline")
	require.Equal(t, 2, strings.Count(out, "root\t"))
	require.Contains(t, log, "add --yes")
	root.do("GET", "/whoami", nil).expect(200)
	code, out, log = command(t, p.db, []string{"secret", "rekey", "api-key", "--yes", "--grace", "100ms"})
	require.Equal(t, 0, code, log)
	require.Contains(t, out, "2 rows")
	root.do("GET", "/whoami", nil).expect(401)
	session := p.as(p.authenticate("root", "root-password").expect(200).string("token"))

	code, _, log = command(t, p.db, []string{"secret", "rotate"}, "SECRET_KEY="+newSecret)
	require.Equal(t, 1, code)
	require.Contains(t, log, "LOCKBOX_SECRET_KEY_PREVIOUS")
	code, out, log = command(t, p.db, []string{"secret", "rotate"}, "SECRET_KEY="+newSecret,
		"SECRET_KEY_PREVIOUS="+testSecret)
	require.Equal(t, 0, code, log)
	require.Contains(t, out, "6 keys")
	wrong := serveLater(t, p.db)
	require.Equal(t, 1, wrong.await())
	require.Contains(t, wrong.log.String(), "LOCKBOX_SECRET_KEY is not the secret of this database")
	after := serve(t, p.db, "SECRET_KEY="+newSecret)
	session.at(&after.server).do("GET", "/whoami", nil).expect(200)
	for _, text := range []string{out, log, wrong.log.String()} {
		require.NotContains(t, text, testSecret)
		require.NotContains(t, text, newSecret)
	}
}
