//go:build e2e

package migrate_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/lockbox-go/lockbox/migrations"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

func TestManyReplicasMigrateAtOnce(t *testing.T) {
	t.Parallel()
	// The table has no primary key, so a step that is applied twice inserts its row twice.
	steps := files(t,
		"000001_notes", "CREATE TABLE notes (step int); INSERT INTO notes VALUES (1)", "DROP TABLE notes",
		"000002_second", "INSERT INTO notes VALUES (2); SELECT pg_sleep(0.02)", "INSERT INTO notes VALUES (-2)",
		"000003_third", "INSERT INTO notes VALUES (3)", "INSERT INTO notes VALUES (-3)")
	for round := range repeats() {
		url := pgtest.Empty(t)
		var up, down errgroup.Group
		m := migrator(t, url, steps)
		for range replicas {
			up.Go(func() error { return m.Up(t.Context()) })
		}
		require.NoError(t, up.Wait(), "round %d", round)
		requireVersion(t, m, 3)
		require.Equal(t, []string{"1", "2", "3"}, pgtest.Column(t, url, "SELECT step::text FROM notes ORDER BY step"))
		if round > 0 {
			continue // one round is enough, because only operators run downgrades
		}
		for range replicas {
			down.Go(func() error { return m.Down(t.Context(), 1) })
		}
		require.NoError(t, down.Wait())
		current, _, err := m.Version(t.Context())
		require.NoError(t, err)
		require.Less(t, current, uint(3))
	}
}

func TestTheRealMigrationsByManyReplicasAtOnce(t *testing.T) {
	t.Parallel()
	for range repeats() {
		url := pgtest.Empty(t)
		m := migrator(t, url, migrations.Files)
		var group errgroup.Group
		for range replicas {
			group.Go(func() error { return m.Up(t.Context()) })
		}
		require.NoError(t, group.Wait())
		current, newest, err := m.Version(t.Context())
		require.NoError(t, err)
		require.Equal(t, newest, current)
	}
}
