package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestRowsOfDeletedKeysAreLimited verifies that a box keeps only a limited number of rows of deleted keys. If a key is
// written again after its row was removed, the new version must have a higher number than the old versions.
func TestRowsOfDeletedKeysAreLimited(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	execute(t, url, uuidOf)
	execute(t, url, `
		INSERT INTO users (id, name, role, is_active, created_at, updated_at)
			VALUES (uuid_of(1, 1), 'owner', 'user', true, now(), now());
		INSERT INTO boxes (id, name, owner_id, kdf_salt, created_at, updated_at)
			VALUES (uuid_of(4, 1), 'box-1', uuid_of(1, 1), '\x00112233445566778899aabbccddeeff', now(), now());
		INSERT INTO sessions (id, user_id, key_id, epoch, created_at, expires_at)
			VALUES (uuid_of(3, 1), uuid_of(1, 1), uuid_of(9, 2), 0, now(), now() + interval '1 day')`)
	execute(t, url, `INSERT INTO entries (box_id, key, version, updated_at, deleted_at, swept)
		SELECT uuid_of(4, 1), 'key-' || n, n, now(), now() - n * interval '1 minute', n > 2
		FROM generate_series(1, $1::int) n`, postgres.KeptDeletedKeys+10)
	deleted, err := store.DeleteRemovedEntries(t.Context(), clock{}.Now(), 20)
	require.NoError(t, err)
	require.Equal(t, 2, deleted)
	require.Equal(t, postgres.KeptDeletedKeys, pgtest.Number(t, url, `SELECT count(*) FROM entries`))
	require.Equal(t, []string{"key-1"}, pgtest.Column(t, url,
		`SELECT key FROM entries WHERE key IN ('key-1', 'key-1001', 'key-1010')`), "the oldest rows are removed")

	box := domain.Box{ID: crowdID(4, 1), Name: "box-1"}
	credential := domain.Credential{Kind: domain.SessionCredential, ID: crowdID(3, 1), User: crowdID(1, 1)}
	for key, version := range map[domain.EntryKey]uint64{"key-1010": 1010, "key-1001": 1010, "new": 1010, "key-5": 5} {
		require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			require.NoError(t, repos.Entries.CountIn(ctx, box.ID, key, 10, clock{}.Now()))
			locked, err := repos.Entries.Lock(ctx, credential, box, key, clock{}.Now())
			require.NoError(t, err)
			require.False(t, locked.Entry.Exists(), key)
			require.Equal(t, version, locked.Entry.Version, key)
			return nil
		}))
	}
	require.Equal(t, 4, pgtest.Number(t, url, `SELECT entry_count FROM boxes`))
}
