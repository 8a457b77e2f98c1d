package migrate_test

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/rounds"
)

// replicas is the number of programs in a race.
const replicas = 10

// repeats returns the number of rounds of each race.
func repeats() int { return rounds.Choose(2, 20) }

// slowStep creates a table and then sleeps. If the step is interrupted, the table must be rolled back.
const slowStep = "CREATE TABLE half (); SELECT pg_sleep(120)"

func awaitSlowStep(t *testing.T, url string) {
	t.Helper()
	const sleeping = `SELECT pid::text FROM pg_stat_activity
		WHERE datname = current_database() AND state = 'active' AND query LIKE '%pg_sleep(120)'
			AND pid <> pg_backend_pid()`
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if len(pgtest.Column(t, url, sleeping)) > 0 {
			return
		}
	}
	require.Fail(t, "the slow step did not start")
}

// requireItGoesOn requires that the database can be migrated after an interrupted step. It uses a fast version of that
// step.
func requireItGoesOn(t *testing.T, url string) {
	t.Helper()
	m := migrator(t, url, files(t, "000001_first", "CREATE TABLE first ()", "DROP TABLE first",
		"000002_second", "CREATE TABLE half ()", "DROP TABLE half"))
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	requireVersion(t, m, 1)
	require.NoError(t, m.Up(ctx))
	requireVersion(t, m, 2)
}

func TestAStepThatIsCancelled(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	slow := migrator(t, url, files(t, "000001_first", "CREATE TABLE first ()", "DROP TABLE first",
		"000002_second", slowStep, "DROP TABLE half"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- slow.Up(ctx) }()
	awaitSlowStep(t, url)
	cancel()
	err := <-ended
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "000002_second")
	requireItGoesOn(t, url)
}

// killedURL is an environment variable. TestAStepWhoseProgramIsKilled starts a process with this variable and then
// kills the process.
const killedURL = "LOCKBOX_TEST_KILLED_URL"

func TestAStepWhoseProgramIsKilled(t *testing.T) {
	t.Parallel()
	steps := files(t, "000001_first", "CREATE TABLE first ()", "DROP TABLE first",
		"000002_second", slowStep, "DROP TABLE half")
	if url := os.Getenv(killedURL); url != "" {
		t.Errorf("the program ended before it was killed: %v", migrator(t, url, steps).Up(t.Context()))
		return
	}
	url := pgtest.Empty(t)
	program := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.timeout="+strconv.Itoa(100)+"s")
	program.Env = append(os.Environ(), killedURL+"="+url)
	require.NoError(t, program.Start())
	awaitSlowStep(t, url)
	require.NoError(t, program.Process.Kill())
	require.Error(t, program.Wait())
	requireItGoesOn(t, url)
}
