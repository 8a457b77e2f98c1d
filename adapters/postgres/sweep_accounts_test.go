package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestSweepAccounts: what has had its time goes, in batches, and nothing else.
func TestSweepAccounts(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	store, err := postgres.Open(t.Context(), postgres.Config{URL: database, Clock: system.Clock{}})
	require.NoError(t, err)
	defer store.Close()
	conn, err := pgx.Connect(t.Context(), database)
	require.NoError(t, err)
	defer func() { _ = conn.Close(context.Background()) }()
	for _, sql := range []string{
		`INSERT INTO users (id, name, role, is_active, created_at, updated_at) VALUES (gen_random_uuid(), 'u', 'user', true, now(), now())`,
		`INSERT INTO token_families (id, user_id, epoch, created_at, expires_at, revoked_at) SELECT gen_random_uuid(), u.id, 0, now(),
			now() + make_interval(hours => h), CASE WHEN r THEN now() - interval '1 second' END
			FROM users u, (VALUES (-1, false), (-2, true), (1, true), (1, false), (2, false)) AS f (h, r)`,
		`INSERT INTO token_pairs (id, family_id, access_hash, refresh_hash, access_expires_at, created_at)
			SELECT gen_random_uuid(), id, decode(md5(id::text || 'a'), 'hex'), decode(md5(id::text || 'r'), 'hex'), now(), now() FROM token_families`,
		`INSERT INTO throttle (key, last_at, blocked_until) VALUES ('old', now() - interval '16 minutes', NULL), ('never', NULL, NULL),
			('fresh', now() - interval '14 minutes', NULL), ('blocked', now() - interval '2 hours', now() + interval '1 hour'),
			('lately', now() - interval '2 hours', now() - interval '5 minutes')`,
		`INSERT INTO known_addresses (key, expires_at) VALUES ('a', now() - interval '1 second'), ('b', now() + interval '1 hour')`,
	} {
		_, err := conn.Exec(t.Context(), sql)
		require.NoError(t, err)
	}
	now := time.Now().UTC()
	for _, sweep := range []struct {
		remove   func(context.Context, time.Time, int) (int, error)
		removed  int
		table    string
		leftover int
	}{
		{store.DeleteEndedFamilies, 3, "token_pairs", 2},
		{store.DeleteOldAttempts, 2, "throttle", 3},
		{store.DeleteKnownAddresses, 1, "known_addresses", 1},
	} {
		total := 0
		for {
			removed, err := sweep.remove(t.Context(), now, 2)
			require.NoError(t, err)
			if total += removed; removed < 2 {
				break
			}
		}
		require.Equal(t, sweep.removed, total, sweep.table)
		require.Equal(t, sweep.leftover, pgtest.Number(t, database, `SELECT count(*) FROM `+sweep.table))
	}
}
