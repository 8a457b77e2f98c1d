package postgres_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestAProbeLeavesNothingBehind runs probes as a superuser and as an ordinary role.
func TestAProbeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	role := "lockbox_test_" + randomName()
	execute(t, database, `CREATE ROLE `+role)
	t.Cleanup(func() { execute(t, database, `DROP ROLE `+role) })
	execute(t, database, `GRANT pg_read_all_data, pg_write_all_data TO `+role)
	for _, address := range []string{database, pgtest.WithParameter(t, database, "role", role)} {
		store := openStoreOn(t, address, nil)
		before := pgtest.Column(t, database, `SELECT pg_current_wal_insert_lsn()::text`)
		require.NoError(t, store.Probe(t.Context()))
		require.NotEqual(t, before, pgtest.Column(t, database, `SELECT pg_current_wal_insert_lsn()::text`),
			"a probe that writes nothing does not wait for standbys")
		require.NoError(t, store.CheckWritable(t.Context()))
		health := store.Stats().Health
		require.NoError(t, health.Err)
		require.WithinDuration(t, time.Now(), health.At, 5*time.Second)
		require.Zero(t, pgtest.Number(t, database, `SELECT count(*) FROM known_addresses`))
		store.Close()
	}
}

// TestAReadOnlyDatabaseIsNotWritable makes transactions read-only by default after a successful probe.
func TestAReadOnlyDatabaseIsNotWritable(t *testing.T) {
	t.Parallel()
	store, database := openStore(t, nil)
	require.NoError(t, store.Probe(t.Context()))
	config, err := pgx.ParseConfig(database)
	require.NoError(t, err)
	execute(t, database, `ALTER DATABASE `+config.Database+` SET default_transaction_read_only = on`)
	store.Pool().Reset()
	require.ErrorIs(t, store.CheckWritable(t.Context()), domain.Unavailable)
	require.ErrorIs(t, store.Probe(t.Context()), domain.Unavailable)
	require.ErrorIs(t, store.Stats().Health.Err, domain.Unavailable)
}

// TestAFullDisk makes INSERT statements fail with the error of a full disk. CheckWritable must then return an error,
// although probeSQL would still succeed.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	store, database := openStore(t, nil)
	require.NoError(t, store.Probe(t.Context()))
	execute(t, database, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
		$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
	for _, table := range []string{"events", "known_addresses"} {
		execute(t, database, `CREATE TRIGGER full_disk BEFORE INSERT ON `+table+` EXECUTE FUNCTION full_disk()`)
	}
	require.NoError(t, store.CheckWritable(t.Context()))
	events := store.NewEventWriter()
	defer events.Close()
	require.ErrorIs(t, events.Write(t.Context(), event(t, "refused")), domain.Unavailable)
	require.ErrorIs(t, store.CheckWritable(t.Context()), domain.Unavailable)
	require.ErrorIs(t, store.Probe(t.Context()), domain.Unavailable, "the disk is still full")
	require.ErrorContains(t, postgres.TryWrite(t.Context(), database), "the disk of the database is full")
	for _, table := range []string{"events", "known_addresses"} {
		execute(t, database, `DROP TRIGGER full_disk ON `+table)
	}
	require.NoError(t, postgres.TryWrite(t.Context(), database))
	require.NoError(t, store.Probe(t.Context()))
	require.NoError(t, store.CheckWritable(t.Context()))
	require.Zero(t, pgtest.Number(t, database, `SELECT count(*) FROM known_addresses`))
	require.NoError(t, events.Write(t.Context(), event(t, "stored")))
}

// TestAProbeEndsInTime verifies that a probe ends within its time limit when all connections are lost.
func TestAProbeEndsInTime(t *testing.T) {
	t.Parallel()
	between := pgtest.NewProxy(t, pgtest.New(t))
	store := openStoreOn(t, between.URL, nil)
	between.LoseOpen()
	between.LoseNew(true)
	begin := time.Now()
	require.ErrorIs(t, store.Probe(t.Context()), domain.Unavailable)
	require.Less(t, time.Since(begin), 4*time.Second)
	require.ErrorIs(t, store.CheckWritable(t.Context()), domain.Unavailable)
	between.LoseNew(false)
	require.Eventually(t, func() bool { return store.CheckWritable(t.Context()) == nil }, 15*time.Second,
		50*time.Millisecond)
}

func TestClockSkew(t *testing.T) {
	t.Parallel()
	sent := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	received := sent.Add(time.Second)
	for name, test := range map[string]struct {
		there time.Time
		want  time.Duration
	}{
		"equal":       {sent.Add(time.Second / 2), 0},
		"at the ends": {received, 0},
		"ahead":       {received.Add(time.Minute), time.Minute},
		"behind":      {sent.Add(-time.Hour), -time.Hour},
	} {
		require.Equal(t, test.want, postgres.ClockSkew(sent, test.there, received), name)
	}
}

// TestTimelines runs a store that has already seen a higher timeline than the timeline of its server.
func TestTimelines(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t, nil)
	timeline := store.SeeTimeline(7)
	require.Equal(t, uint32(1), timeline, "the tests' server was never promoted")
	store.Pool().Reset()
	_, err := store.Read().System.Owner(t.Context())
	require.ErrorIs(t, err, domain.Unavailable, "the server continues an older history")
	require.ErrorContains(t, err, "a former primary")
	require.NotErrorIs(t, err, connect.ErrRefused)

	store.SeeTimeline(timeline)
	_, err = store.Read().System.Owner(t.Context())
	require.NoError(t, err)
}

// TestALookupBeforeAPromotion raises the timeline after a lookup. CheckCurrent must then reject the result of the
// lookup, which may come from the previous primary.
func TestALookupBeforeAPromotion(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t, nil)
	before, err := store.LookUp(t.Context(), domain.Credential{Kind: domain.APIKeyCredential}, "box", "key", 0)
	require.NoError(t, err)
	require.NoError(t, store.CheckCurrent(before))
	store.SeeTimeline(7)
	require.ErrorIs(t, store.CheckCurrent(before), domain.Unavailable)
	require.NoError(t, store.CheckCurrent(ports.EntrySnapshot{}), "the service hides the timeline")
}

// TestAPromotionReplacesConnections raises the timeline while one connection is idle and another is in use.
func TestAPromotionReplacesConnections(t *testing.T) {
	t.Parallel()
	store, _ := openStore(t, nil)
	idle, err := store.Pool().Acquire(t.Context())
	require.NoError(t, err)
	used, err := store.Pool().Acquire(t.Context())
	require.NoError(t, err)
	idle.Release()
	require.NoError(t, store.AcceptTimeline(2))
	require.Eventually(t, func() bool { return store.Stats().Pool.Idle == 0 }, 5*time.Second, time.Millisecond)
	require.NoError(t, used.Conn().Ping(t.Context()), "a statement that runs is not interrupted")
	used.Release()
	require.Eventually(t, func() bool { return store.Stats().Pool.Used == 0 }, 5*time.Second, time.Millisecond)
	require.Zero(t, store.Stats().Pool.Idle, "the connection was not reused")
	require.Error(t, store.AcceptTimeline(1))
	require.NoError(t, store.AcceptTimeline(0), "a server that does not report its timeline is accepted")
}
