//go:build e2e

package postgres_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// crowd fills the tables. They are so large that the planner never chooses a sequential scan to find a single row.
const crowd = `
INSERT INTO users (id, name, role, is_active, created_at, updated_at)
	SELECT uuid_of(1, n), 'user-' || n, 'user', true, now(), now() FROM generate_series(1, 3000) n;
INSERT INTO api_keys (id, user_id, name, key_id, created_at)
	SELECT uuid_of(2, n), uuid_of(1, n), '', uuid_of(9, 1), now() FROM generate_series(1, 3000) n;
INSERT INTO sessions (id, user_id, key_id, epoch, created_at, expires_at)
	SELECT uuid_of(3, n), uuid_of(1, n), uuid_of(9, 2), 0, now(), now() + interval '1 day'
	FROM generate_series(1, 3000) n;
INSERT INTO boxes (id, name, owner_id, kdf_salt, created_at, updated_at)
	SELECT uuid_of(4, n), 'box-' || n, uuid_of(1, n), '\x00112233445566778899aabbccddeeff', now(), now()
	FROM generate_series(1, 2000) n;
INSERT INTO box_users (box_id, user_id, role, is_active, permissions)
	SELECT uuid_of(4, n), uuid_of(1, (n + i * 7 - 1) % 3000 + 1), 'boxadmin', true, 15
	FROM generate_series(1, 2000) n, generate_series(0, 4) i;
INSERT INTO entries (box_id, key, version, updated_at, deleted_at)
	SELECT uuid_of(4, n), 'entry-' || i, 2, now(), CASE WHEN i = 9 AND n % 100 = 0 THEN now() - interval '1 year' END
	FROM generate_series(1, 2000) n, generate_series(0, 9) i;
INSERT INTO entry_versions (box_id, key, version, sealed_as, key_id, envelope, value, author_id, created_at)
	SELECT uuid_of(4, n), 'entry-' || i, v, v, uuid_of(9, 1), '\x01', '\x02', uuid_of(1, n), now()
	FROM generate_series(1, 2000) n, generate_series(0, 9) i, generate_series(1, 2) v;
INSERT INTO events (id, at, action, outcome, actor_name, box_id, box_name, entry_key, target, request_id, address)
	SELECT uuid_of(5, n), now(), 'entry.read', 'success', '', uuid_of(4, n % 2000 + 1), '', '', '', '', ''
	FROM generate_series(1, 20000) n;
INSERT INTO one_time_codes (id, user_id, pending, key_id, secret, own, created_at)
	SELECT uuid_of(6, n), uuid_of(1, n), false, uuid_of(9, 1), '', false, now() FROM generate_series(1, 2000) n;
INSERT INTO token_families (id, user_id, epoch, created_at, expires_at)
	SELECT uuid_of(7, n), uuid_of(1, n), 0, now(), now() + interval '1 hour' FROM generate_series(1, 2000) n;
INSERT INTO token_pairs (id, family_id, access_hash, refresh_hash, access_expires_at, created_at)
	SELECT uuid_of(8, n * 5 + i), uuid_of(7, n), sha256(('a' || n || '/' || i)::bytea),
		sha256(('r' || n || '/' || i)::bytea), now(), now()
	FROM generate_series(1, 2000) n, generate_series(0, 4) i;
INSERT INTO throttle (key, account, failures)
	SELECT sha256(('t' || n)::bytea), sha256(('t' || n)::bytea), 0 FROM generate_series(1, 5000) n;
INSERT INTO known_addresses (key, expires_at)
	SELECT sha256(('k' || n)::bytea), now() + interval '1 hour' FROM generate_series(1, 5000) n;
INSERT INTO invitations (id, name, spelling, role, inviter_id, proof, created_at, expires_at)
	SELECT uuid_of(10, n), 'guest-' || n, '', 'user', uuid_of(1, n), '\x00', now(), now() + interval '1 hour'
	FROM generate_series(1, 3000) n;
INSERT INTO server_keys (id, purpose, generation, wrapped, created_at) VALUES
	(uuid_of(9, 1), 'entry', 1, '\x01', now()), (uuid_of(9, 2), 'session', 1, '\x01', now());
ANALYZE`

// TestHotStatementsUseIndexes runs the statements of requests many times, until the database uses generic plans. It
// then verifies that no statement has caused a sequential scan.
func TestHotStatementsUseIndexes(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	execute(t, url, uuidOf)
	execute(t, url, crowd)
	store.Close() // sessions report their counts when they end
	before := scans(t, url)

	store = openStoreOn(t, url, nil)
	writer := store.NewEventWriter()
	for n := 101; n < 121; n++ {
		require.NoError(t, writer.Write(t.Context(), event(t, "read")))
		readAsRequestsDo(t, store.Read(), n)
		lookUpAsRequestsDo(t, store, n)
		writeAsRequestsDo(t, store, n)
		require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			return changeAsRequestsDo(ctx, t, repos, n)
		}))
	}
	long := clock{}.Now().Add(-24 * time.Hour)
	for _, sweep := range []func(context.Context, time.Time, int) (int, error){
		store.DeleteEndedSessions,
		store.DeleteOldEvents,
		store.DeleteRemovedEntries,
		store.DeleteEndedFamilies,
		store.DeleteKnownAddresses,
		store.DeleteEndedInvitations,
	} {
		_, err := sweep(t.Context(), long, 5)
		require.NoError(t, err)
	}
	writer.Close()
	store.Close()
	for table, count := range scans(t, url) {
		require.Equal(t, before[table], count, "a sequential scan read table %s", table)
	}
}

// plan is a node of the output of EXPLAIN.
type plan struct {
	Node      string `json:"Node Type"`
	Operation string // set for a node that changes a table
	Relation  string `json:"Relation Name"`
	Index     string `json:"Index Name"`
	Condition string `json:"Index Cond"`
	Plans     []plan
}

// TestPlansOfHotStatements checks the generic plans of the statements for reading and writing entries. Except for the
// smallest tables, every table must be read by an index, even if the planner made the plan while the tables were empty
// or small.
func TestPlansOfHotStatements(t *testing.T) {
	t.Parallel()
	for name, fill := range map[string]string{"empty": ``, "small": office + `; ANALYZE`, "large": crowd} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, url := openStore(t, nil)
			execute(t, url, uuidOf)
			execute(t, url, fill)
			for what, explained := range explain(t, url, postgres.HotStatements()) {
				indexes := requireIndexes(t, what, explained)
				require.Positive(t, indexes, what)
			}
		})
	}
}

// TestSearchesReadALimitedNumberOfEvents searches a log that contains no matching event. The statement must stop
// reading at the limit. Its plan must therefore not contain a sort, because a sort reads all rows first. Each page must
// continue where the previous page ended.
func TestSearchesReadALimitedNumberOfEvents(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	execute(t, url, uuidOf)
	execute(t, url, crowd)
	const events = 20_000 // the number in crowd
	positions := []string{}
	filter := ports.EventFilter{Actor: "unknown", Limit: 10}
	for {
		page, err := store.Read().Events.List(t.Context(), filter)
		require.NoError(t, err)
		require.Empty(t, page.Events)
		if page.Next.IsZero() {
			break
		}
		positions, filter.Before = append(positions, page.Next.String()), page.Next
	}
	want := pgtest.Column(t, url, fmt.Sprintf(`SELECT id::text FROM (SELECT id, row_number() OVER (ORDER BY id DESC) n
		FROM events) e WHERE n %% %d = 0 ORDER BY n`, postgres.MaxExaminedEvents))
	require.Equal(t, want, positions)
	require.Len(t, positions, events/postgres.MaxExaminedEvents)
	for what, explained := range explain(t, url, postgres.HotStatements()) {
		if strings.HasPrefix(what, "search") || strings.HasPrefix(what, "audit") {
			require.NotContains(t, nodes(explained), "Sort", what)
		}
	}
}

// nodes returns the types of a plan's nodes.
func nodes(node plan) []string {
	list := []string{node.Node}
	for _, each := range node.Plans {
		list = append(list, nodes(each)...)
	}
	return list
}

// explain returns the generic plans of the statements.
func explain(t *testing.T, url string, statements map[string]string) map[string]plan {
	t.Helper()
	config, err := postgres.ConnConfig(url)
	require.NoError(t, err)
	config.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	plans := make(map[string]plan)
	for what, text := range statements {
		_, err := conn.Exec(t.Context(), `PREPARE hot AS `+text)
		require.NoError(t, err)
		arguments := strings.TrimSuffix(strings.Repeat("NULL, ", parameters(text)), ", ")
		var output []struct{ Plan plan }
		require.NoError(t, conn.QueryRow(t.Context(), `EXPLAIN (FORMAT JSON) EXECUTE hot (`+arguments+`)`,
			pgx.QueryExecModeSimpleProtocol).Scan(&output))
		plans[what] = output[0].Plan
		_, err = conn.Exec(t.Context(), `DEALLOCATE hot`)
		require.NoError(t, err)
	}
	return plans
}

// requireIndexes requires that the plan reads every table by an index, with a condition on the index. It returns the
// number of these conditions.
func requireIndexes(t *testing.T, what string, node plan) (indexes int) {
	t.Helper()
	few := []string{"system", "server_keys"}
	reads := node.Relation != "" && node.Operation == "" && !slices.Contains(few, node.Relation)
	switch {
	case reads && (node.Node == "Index Scan" || node.Node == "Index Only Scan"):
		require.NotEmpty(t, node.Condition, "%s reads the entire table %s", what, node.Relation)
		indexes = 1
	case reads:
		require.Equal(t, "Bitmap Heap Scan", node.Node, "%s: %s", what, node.Relation)
	case node.Node == "Bitmap Index Scan":
		require.NotEmpty(t, node.Condition, "%s reads the entire index %s", what, node.Index)
		indexes = 1
	}
	for _, each := range node.Plans {
		indexes += requireIndexes(t, what, each)
	}
	return indexes
}

// parameters returns the number of parameters of a statement.
func parameters(text string) int {
	count := 0
	for strings.Contains(text, fmt.Sprintf("$%d", count+1)) {
		count++
	}
	return count
}

// scans returns the number of sequential scans of each large table. PostgreSQL updates the counts when a session ends,
// so the function scans first waits for the sessions of the store to end.
func scans(t *testing.T, url string) map[string]string {
	t.Helper()
	counts := make(map[string]string)
	for deadline := time.Now().Add(10 * time.Second); len(pgtest.Column(t, url, `SELECT query FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'lockbox'`)) > 0; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline))
	}
	for _, table := range []string{"users", "api_keys", "sessions", "boxes", "box_users", "entries", "entry_versions",
		"events", "one_time_codes", "token_families", "token_pairs", "throttle", "known_addresses"} {
		counts[table] = pgtest.Column(t, url,
			`SELECT seq_scan::text FROM pg_stat_user_tables WHERE relname = $1`, table)[0]
	}
	return counts
}

// lookUpAsRequestsDo runs lookups for reads and writes with each kind of credential.
func lookUpAsRequestsDo(t *testing.T, store *postgres.Store, n int) {
	t.Helper()
	for _, credential := range holders(n) {
		for _, version := range []uint64{0, 1} {
			snapshot, err := store.LookUp(t.Context(), credential, boxNamed(n), "entry-3", version)
			require.NoError(t, err)
			require.NotZero(t, snapshot.Version.Place.Version, "%s finds the entry", credential.Kind)
		}
		snapshot, err := store.LookUpForWrite(t.Context(), credential, boxNamed(n), "entry-3")
		require.NoError(t, err)
		require.True(t, snapshot.Entry.Exists())
	}
}

// writeAsRequestsDo writes an entry with each kind of credential.
func writeAsRequestsDo(t *testing.T, store *postgres.Store, n int) {
	t.Helper()
	for _, credential := range holders(n) {
		write := conditionalWrite(t, store, credential, boxNamed(n), "entry-3")
		stored, err := store.WriteIfUnchanged(t.Context(), write)
		require.NoError(t, err)
		require.True(t, stored)
	}
}

func readAsRequestsDo(t *testing.T, repos ports.Repos, n int) {
	t.Helper()
	box, user := domain.BoxID(crowdID(4, n)), domain.UserID(crowdID(1, n))
	name := domain.UserName(fmt.Sprintf("user-%d", n))
	credential := domain.Credential{Kind: domain.APIKeyCredential, ID: crowdID(2, n), User: user}
	ctx := t.Context()
	for what, read := range map[string]func() error{
		"caller": func() error { _, err := repos.Callers.Caller(ctx, credential); return err },
		"access": func() error { _, err := repos.Callers.Access(ctx, credential, boxNamed(n)); return err },
		"access token": func() error {
			_, err := repos.Callers.Caller(ctx, domain.Credential{
				Kind:   domain.AccessTokenCredential,
				User:   user,
				Digest: sha256.Sum256(fmt.Appendf(nil, "a%d/1", n)),
			})
			return err
		},
		"counts": func() error {
			_, err := repos.Attempts.Peek(ctx,
				ports.AttemptQuery{Counters: []ports.CounterKey{{Key: sha256.Sum256(fmt.Appendf(nil, "t%d", n))}}})
			return err
		},
		"known": func() error {
			_, err := repos.Attempts.Peek(ctx,
				ports.AttemptQuery{KnownAddress: sha256.Sum256(fmt.Appendf(nil, "k%d", n)), Now: clock{}.Now()})
			return err
		},
		"user":        func() error { _, err := repos.Users.Get(ctx, name); return err },
		"password":    func() error { _, err := repos.Users.ForSignIn(ctx, name); return err },
		"union":       func() error { _, err := repos.Users.Permissions(ctx, user); return err },
		"keys":        func() error { _, err := repos.APIKeys.List(ctx, user); return err },
		"key":         func() error { _, err := repos.APIKeys.Get(ctx, crowdID(2, n)); return err },
		"boxes":       func() error { _, err := repos.Boxes.NamesOf(ctx, user); return err },
		"owned":       func() error { _, err := repos.Boxes.OwnedBy(ctx, user); return err },
		"description": func() error { _, _, err := repos.Boxes.Describe(ctx, box); return err },
		"box users":   func() error { _, err := repos.BoxUsers.List(ctx, box); return err },
		"box user":    func() error { _, err := repos.BoxUsers.Get(ctx, box, name); return err },
		"count":       func() error { _, err := repos.BoxUsers.Count(ctx, box); return err },
		"entries":     func() error { _, err := repos.Entries.Keys(ctx, box, "entry-"); return err },
		"versions":    func() error { _, err := repos.Entries.Versions(ctx, box, "entry-1"); return err },
		"version":     func() error { _, err := repos.Entries.Version(ctx, box, "entry-1", 1); return err },
		"events":      func() error { _, err := repos.Events.List(ctx, ports.EventFilter{Limit: 10}); return err },
		"box's events": func() error {
			_, err := repos.Events.List(ctx,
				ports.EventFilter{Box: box, Limit: 10})
			return err
		},
	} {
		require.NoError(t, read(), what)
	}
}

// changeAsRequestsDo writes two entries, one of which is new. It then deletes both entries, a user and a box.
func changeAsRequestsDo(ctx context.Context, t *testing.T, repos ports.Repos, n int) error {
	t.Helper()
	box, now := domain.BoxID(crowdID(4, n)), clock{}.Now()
	require.NoError(t, repos.Boxes.Lock(ctx, box))
	_, err := repos.Users.Lock(ctx, domain.UserName(fmt.Sprintf("user-%d", n)))
	require.NoError(t, err)
	for _, key := range []domain.EntryKey{"entry-3", "new"} {
		require.NoError(t, repos.Entries.CountIn(ctx, box, key, 100, now))
		credential := domain.Credential{Kind: domain.APIKeyCredential, ID: crowdID(2, n), User: crowdID(1, n)}
		locked, err := repos.Entries.Lock(ctx, credential, domain.Box{ID: box, Name: boxNamed(n)}, key, now)
		require.NoError(t, err)
		entry := locked.Entry.Next(now)
		place := ports.Place{
			Box:      box,
			Key:      key,
			Version:  entry.Version,
			SealedAs: entry.Version,
		}
		version := ports.NewVersion{Place: place,
			Sealed: ports.SealedValue{ServerKey: crowdID(9, 1), Envelope: []byte{1}, Value: []byte{2}},
			Author: crowdID(1, n)}
		require.NoError(t, repos.Entries.AddVersion(ctx, entry, version, 2, event(t, "write")))
		require.NoError(t, repos.Entries.MarkDeleted(ctx, entry))
	}
	_, _, err = repos.TokenFamilies.LockByRefresh(ctx, crowdID(1, n), sha256.Sum256(fmt.Appendf(nil, "r%d/1", n)))
	require.NoError(t, err)
	_, err = repos.Attempts.Lock(ctx,
		ports.AttemptQuery{Counters: []ports.CounterKey{{Key: sha256.Sum256(fmt.Appendf(nil, "t%d", n))}}})
	require.NoError(t, err)
	_, err = repos.TOTPSecrets.Accept(ctx, crowdID(6, n), 1, now)
	require.NoError(t, err)
	require.NoError(t, repos.BoxUsers.Remove(ctx, box, crowdID(1, n)))
	require.NoError(t, repos.APIKeys.DeleteAll(ctx, crowdID(1, n)))
	require.NoError(t, repos.Boxes.Delete(ctx, crowdID(4, n+1000)))
	return repos.Users.Delete(ctx, crowdID(1, n+2400)) // a user who owns no box
}
