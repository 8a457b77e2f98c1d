package postgres_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// sweepAll calls a sweep until it has nothing left and returns how many went each time.
func sweepAll(t *testing.T, sweep func(context.Context, time.Time, int) (int, error), before time.Time,
	limit int) (counts []int) {
	t.Helper()
	for {
		count, err := sweep(t.Context(), before, limit)
		require.NoError(t, err)
		counts = append(counts, count)
		if count < limit {
			return counts
		}
	}
}

func TestSweepsGoInBatches(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	now := clock{}.Now()
	execute(t, url, `INSERT INTO users (id, name, role, is_active, created_at, updated_at) VALUES (gen_random_uuid(), 'u', 'user', true, $1, $1)`, now)
	execute(t, url, `INSERT INTO sessions (id, user_id, key_id, epoch, created_at, expires_at)
		SELECT gen_random_uuid(), u.id, gen_random_uuid(), 0, $1, $1::timestamptz + make_interval(hours => n) FROM users u, generate_series(-25, 4) n`, now)
	require.Equal(t, []int{10, 10, 5}, sweepAll(t, store.DeleteEndedSessions, now, 10))
	require.Equal(t, []string{"5"}, rows(t, url, `SELECT count(*)::text FROM sessions`))

	for i := range 25 {
		old := event(t, "old")
		old.ID = domain.EventID{1, byte(i)} // long before now
		require.NoError(t, store.Read().Events.Append(t.Context(), old))
	}
	require.NoError(t, store.Read().Events.Append(t.Context(), event(t, "new")))
	require.Equal(t, []int{10, 10, 5}, sweepAll(t, store.DeleteOldEvents, now.Add(-time.Hour), 10))
	require.Equal(t, []string{"new"}, rows(t, url, `SELECT target FROM events`))
}

// TestASweptEntryKeepsItsNumbers: the row of a deleted entry stays, so that no version number is ever given out twice.
func TestASweptEntryKeepsItsNumbers(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	now := clock{}.Now()
	box := domain.BoxID(newID(t))
	execute(t, url, `WITH u AS (INSERT INTO users (id, name, role, is_active, created_at, updated_at)
			VALUES (gen_random_uuid(), 'u', 'user', true, $2, $2) RETURNING id)
		INSERT INTO boxes (id, name, owner_id, kdf_salt, created_at, updated_at) SELECT $1, 'b', id, '\x00112233445566778899aabbccddeeff', $2, $2 FROM u`,
		box.String(), now)
	key := domain.ServerKeyID(newID(t))
	require.NoError(t, store.Read().ServerKeys.Add(t.Context(), []ports.ServerKey{{
		ID:         key,
		Purpose:    domain.KeyForEntries,
		Generation: 1,
		Wrapped:    []byte{1},
		CreatedAt:  now,
	}}))
	write := func(name domain.EntryKey) (version uint64) {
		require.NoError(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			locked, err := repos.Entries.Lock(ctx, domain.Credential{Kind: domain.APIKeyCredential},
				domain.Box{ID: box}, name, now)
			require.NoError(t, err)
			entry := locked.Entry.Next(now)
			version = entry.Version
			place := ports.Place{
				Box:      box,
				Key:      name,
				Version:  version,
				SealedAs: version,
			}
			sealed := ports.SealedValue{ServerKey: key, Envelope: []byte{1}, Value: []byte{2}}
			return repos.Entries.AddVersion(ctx, entry, ports.NewVersion{Place: place, Sealed: sealed}, 10,
				event(t, "write"))
		}))
		return version
	}
	for i := range 25 {
		for range 3 {
			write(domain.EntryKey(fmt.Sprintf("e%d", i)))
		}
	}
	write("alive")
	execute(t, url, `UPDATE entries SET deleted_at = $1 WHERE key LIKE 'e%'`, now.Add(-time.Hour))
	execute(t, url, `UPDATE entries SET deleted_at = $1 WHERE key = 'e7'`, now.Add(time.Hour))

	require.Equal(t, []int{10, 10, 4}, sweepAll(t, store.DeleteRemovedEntries, now, 10))
	require.Equal(t, []int{0}, sweepAll(t, store.DeleteRemovedEntries, now, 10), "once")
	require.Equal(t, []string{"alive", "e7", "e7", "e7"}, rows(t, url, `SELECT key FROM entry_versions ORDER BY key`))
	require.Equal(t, []string{"26"}, rows(t, url, `SELECT count(*)::text FROM entries`))

	_, err := store.Read().Entries.Versions(t.Context(), box, "e3")
	require.ErrorIs(t, err, domain.NotFound)
	require.Equal(t, uint64(4), write("e3"), "it goes on where it was")
	require.Equal(t, []string{"4"}, rows(t, url, `SELECT version::text FROM entry_versions WHERE key = 'e3'`))
	execute(t, url, `UPDATE entries SET deleted_at = $1 WHERE key = 'e3'`, now.Add(-time.Hour))
	require.Equal(t, []int{1}, sweepAll(t, store.DeleteRemovedEntries, now, 10), "deleted again, it is swept again")
}
