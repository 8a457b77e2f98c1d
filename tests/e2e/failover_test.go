//go:build e2e && linux

package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// demote restarts a PostgreSQL server as a standby. A later promotion puts the server on a new timeline.
func (k *killable) demote() {
	k.t.Helper()
	require.NoError(k.t, k.live.Stop())
	require.NoError(k.t, os.WriteFile(filepath.Join(k.dir, "data", "standby.signal"), nil, 0o600))
	k.start()
	require.Equal(k.t, []string{"t"}, pgtest.Column(k.t, k.url(), `SELECT CASE WHEN pg_is_in_recovery() THEN 't' END`))
}

func (k *killable) promote() {
	k.t.Helper()
	require.Equal(k.t, []string{"t"}, pgtest.Column(k.t, k.url(), `SELECT CASE WHEN pg_promote() THEN 't' END`))
}

// TestPromotion turns the database of a running Lockbox server into a standby, starts another Lockbox server, and
// promotes the database.
func TestPromotion(t *testing.T) {
	t.Parallel()
	postgres := startKillable(t)
	p := serve(t, postgres.url())
	root := p.initialize()
	logged := func(p *program, text string) func() bool {
		return func() bool { return strings.Contains(p.log.String(), text) }
	}
	postgres.demote()
	require.Eventually(t, func() bool { return !p.ready() }, 10*time.Second, 50*time.Millisecond)
	late := serveLater(t, postgres.url())
	require.Eventually(t, logged(late, "the database is a read-only standby; waiting for the primary"), 10*time.Second,
		50*time.Millisecond)
	require.NotContains(t, late.log.String(), "does not answer")
	postgres.promote()
	p.awaitReady(10 * time.Second)
	late.awaitReady(10 * time.Second)
	root.do("POST", "/boxes/default", nil).expect(201)
	require.Eventually(t, logged(p, "the database has a new primary"), 5*time.Second, 50*time.Millisecond)
	root.at(&late.server).do("GET", "/boxes/default", nil).expect(200)
	require.Empty(t, p.errors())
}

// TestASynchronousCommitWithoutAStandby configures the database to wait for a standby that does not exist. Every write
// fails, so the server reports that it is not ready. Listing the boxes still works.
func TestASynchronousCommitWithoutAStandby(t *testing.T) {
	t.Parallel()
	postgres := startKillable(t)
	p := serve(t, postgres.url())
	root := p.initialize()
	configure := func(standbys string) {
		run(t, postgres.url(), `ALTER SYSTEM SET synchronous_standby_names = '`+standbys+`'`)
		run(t, postgres.url(), `SELECT pg_reload_conf()`)
	}
	configure("missing")
	require.Eventually(t, func() bool { return !p.ready() }, 15*time.Second, 100*time.Millisecond)
	root.do("GET", "/boxes", nil).expect(200)
	begin := time.Now()
	got, err := root.try("POST", "/boxes/default", "")
	require.NoError(t, err)
	require.Equal(t, 503, got.Status, "%s", got.Body)
	require.Equal(t, "outcome_unknown", got.code())
	require.Less(t, time.Since(begin), longestRequest)
	require.Contains(t, p.log.String(), "the database accepts no writes")
	configure("")
	p.awaitReady(10 * time.Second)
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "the database accepts writes again") },
		10*time.Second, 50*time.Millisecond)
}

// TestRefusalsOfTheDatabaseAreReportedAtOnce starts programs with database URLs that can never work. Each program must
// report the error instead of waiting for the database.
func TestRefusalsOfTheDatabaseAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	postgres := startKillable(t)
	stranger, err := url.Parse(postgres.url())
	require.NoError(t, err)
	stranger.User = url.UserPassword("no_such_role", "hunter2")
	for name, test := range map[string]struct{ url, contains string }{
		"an unknown database":  {strings.Replace(postgres.url(), "/lockbox?", "/missing?", 1), "create the database"},
		"an unknown role":      {stranger.String(), "check the role"},
		"a parameter of libpq": {pgtest.WithParameter(t, postgres.url(), "keepalives_idle", "5"), "keepalives_idle"},
	} {
		for _, args := range [][]string{{"serve"}, {"migrate", "up"}, {"secret", "status"}} {
			t.Run(name+", "+strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				begin := time.Now()
				code, _, log := command(t, test.url, args)
				require.Equal(t, 1, code)
				require.Contains(t, log, test.contains)
				require.NotContains(t, log, "does not answer")
				require.NotContains(t, log, "hunter2")
				require.Less(t, time.Since(begin), 20*time.Second, "it did not wait")
			})
		}
	}
}
