package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// conditionalWrite looks up an existing entry and returns a write that stores the next version of the entry.
func conditionalWrite(t *testing.T, store *postgres.Store, credential domain.Credential, box domain.BoxName,
	key domain.EntryKey) ports.ConditionalWrite {
	t.Helper()
	snapshot, err := store.LookUpForWrite(t.Context(), credential, box, key)
	require.NoError(t, err)
	require.True(t, snapshot.Entry.Exists())
	place := ports.Place{
		Box:      snapshot.Access.Box.ID,
		Key:      key,
		Version:  snapshot.Entry.Version + 1,
		SealedAs: snapshot.Entry.Version + 1,
	}
	return ports.ConditionalWrite{
		Snapshot: snapshot,
		At:       clock{}.Now(),
		Keep:     2,
		Event:    event(t, "written").On(key),
		Version: ports.NewVersion{
			Place: place, Author: snapshot.Access.Caller.UserID,
			Sealed: ports.SealedValue{
				ServerKey: crowdID(9, 1),
				Envelope:  []byte("new envelope"),
				Value:     []byte("new value"),
			},
		},
	}
}

const (
	versionsOfEntry0 = `SELECT e.version || ': ' ||
			string_agg(v.version || ' ' || convert_from(v.value, 'UTF8'), ', ' ORDER BY v.version)
		FROM entries e JOIN entry_versions v USING (box_id, key)
		WHERE box_id = uuid_of(4, 1) AND key = 'entry-0' GROUP BY e.version`
	writeEvents = `SELECT entry_key FROM events WHERE target = 'written' ORDER BY 1`
)

// ofEntry0 is the WHERE condition of the statements below.
const ofEntry0 = ` WHERE box_id = uuid_of(4, 1) AND key = 'entry-0'`

// commonChanges lists changes that invalidate a write with any kind of credential.
var commonChanges = map[string]string{
	"the user is inactive":     `UPDATE users SET is_active = false WHERE id = uuid_of(1, 2)`,
	"no longer a member":       `DELETE FROM box_users WHERE user_id = uuid_of(1, 2)`,
	"inactive in the box":      `UPDATE box_users SET is_active = false WHERE user_id = uuid_of(1, 2)`,
	"fewer permissions":        `UPDATE box_users SET permissions = 11 WHERE user_id = uuid_of(1, 2)`,
	"the box is deleted":       `DELETE FROM boxes WHERE id = uuid_of(4, 1)`,
	"the box has another name": `UPDATE boxes SET name = 'moved' WHERE id = uuid_of(4, 1)`,
	"another box has its name": `UPDATE boxes SET name = 'moved' WHERE id = uuid_of(4, 1);
		UPDATE boxes SET name = 'box-1' WHERE id = uuid_of(4, 2)`,
	"the entry was written":     `UPDATE entries SET version = version + 1` + ofEntry0,
	"the entry was deleted":     `UPDATE entries SET deleted_at = now()` + ofEntry0,
	"the entry has no row":      `DELETE FROM entries` + ofEntry0,
	"the server key is retired": `UPDATE server_keys SET retired_at = now() WHERE id = uuid_of(9, 1)`,
	"the version already exists": `INSERT INTO entry_versions
		SELECT box_id, key, 4, 4, key_id, envelope, value, NULL, now()
		FROM entry_versions` + ofEntry0 + ` AND version = 3`,
}

// ownChanges lists changes that invalidate a write with one kind of credential.
var ownChanges = map[domain.CredentialKind]map[string]string{
	domain.APIKeyCredential: {
		"the key is revoked":              `DELETE FROM api_keys`,
		"the key expires at another time": `UPDATE api_keys SET expires_at = now()`,
		"the key never expires":           `UPDATE api_keys SET expires_at = NULL`,
	},
	domain.SessionCredential: {
		"the session was deleted": `DELETE FROM sessions`,
		"all sessions were ended": `UPDATE users SET session_epoch = session_epoch + 1`,
		"it is another user's": `UPDATE sessions SET user_id = uuid_of(1, 3)
			WHERE user_id = uuid_of(1, 2)`,
		"the session expires at another time": `UPDATE sessions SET expires_at = now()`,
	},
	domain.AccessTokenCredential: {
		"the pair is spent":                `UPDATE token_pairs SET spent_at = now()`,
		"the family is revoked":            `UPDATE token_families SET revoked_at = now()`,
		"it is another user's":             `UPDATE token_families SET user_id = uuid_of(1, 3)`,
		"all sessions were ended":          `UPDATE users SET session_epoch = session_epoch + 1`,
		"the pair expires at another time": `UPDATE token_pairs SET access_expires_at = now()`,
	},
}

// writeTogether runs all writes concurrently and returns how many were stored. While a lock blocks the first batch, the
// other writes wait in the queue.
func writeTogether(t *testing.T, store *postgres.Store, url string, all []ports.ConditionalWrite) (stored int) {
	t.Helper()
	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	var group sync.WaitGroup
	var started, count atomic.Int64
	for _, r := range all {
		group.Go(func() {
			started.Add(1)
			stored, err := store.WriteIfUnchanged(t.Context(), r)
			if err != nil {
				t.Errorf("%s: %v", r.Version.Place.Key, err)
			}
			if stored {
				count.Add(1)
			}
		})
	}
	requireStarted(t, &started, len(all))
	release()
	group.Wait()
	return int(count.Load())
}

func TestConcurrentWritesShareABatch(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	var all []ports.ConditionalWrite
	for box := range 8 {
		for _, credential := range holders(box) {
			if credential.Kind == domain.SessionCredential && box%4 == 3 {
				continue // its epoch is old
			}
			key := domain.EntryKey(fmt.Sprintf("entry-%d", len(all)%3))
			all = append(all, conditionalWrite(t, store, credential, boxNamed(box), key))
		}
	}
	require.Equal(t, len(all), writeTogether(t, store, url, all))
	require.Less(t, store.Stats().Writes.Batches, int64(6))
	require.Len(t, pgtest.Column(t, url, writeEvents), len(all))
	for _, r := range all {
		access := r.Snapshot.Access
		snapshot, err := store.LookUpForWrite(t.Context(), access.Caller.Credential, access.Box.Name,
			r.Version.Place.Key)
		require.NoError(t, err)
		require.Equal(t, r.Version.Place, snapshot.Version.Place)
	}
}

// TestOneOfSeveralWritesToAnEntryIsStored verifies that exactly one of several concurrent writes to an entry is stored.
// The callers of the other writes must fall back to the locking path.
func TestOneOfSeveralWritesToAnEntryIsStored(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	var all []ports.ConditionalWrite
	for n := range 20 {
		r := conditionalWrite(t, store, holders(2)[n%3], "box-1", "entry-0")
		r.Event = event(t, "written")
		all = append(all, r)
	}
	require.Equal(t, 1, writeTogether(t, store, url, all))
	require.Equal(t, []string{"4: 3 value 103, 4 new value"}, pgtest.Column(t, url, versionsOfEntry0))
	require.Len(t, pgtest.Column(t, url, writeEvents), 1)
}

// TestAnErrorOfTheDatabaseStoresNothing verifies that a write that the database rejects stores nothing. The write
// contains a zero byte in a text column, which PostgreSQL does not accept.
func TestAnErrorOfTheDatabaseStoresNothing(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	good := conditionalWrite(t, store, holders(2)[0], "box-1", "entry-0")
	bad := conditionalWrite(t, store, holders(2)[0], "box-1", "entry-1")
	bad.Event.ActorName = "\x00"
	stored, err := store.WriteIfUnchanged(t.Context(), bad)
	require.NoError(t, err)
	require.False(t, stored, "the caller falls back to the locking path, which returns the error")
	require.Empty(t, pgtest.Column(t, url, writeEvents))
	require.Equal(t, []string{"3"},
		pgtest.Column(t, url, `SELECT version::text FROM entries WHERE box_id = uuid_of(4, 1) AND key = 'entry-1'`))
	stored, err = store.WriteIfUnchanged(t.Context(), good)
	require.NoError(t, err)
	require.True(t, stored)
}

func TestALargeValueIsNotWrittenInABatch(t *testing.T) {
	t.Parallel()
	store, _ := openOffice(t)
	r := conditionalWrite(t, store, holders(2)[0], "box-1", "entry-0")
	r.Version.Sealed.Value = make([]byte, 100<<10)
	stored, err := store.WriteIfUnchanged(t.Context(), r)
	require.NoError(t, err)
	require.False(t, stored)
	require.Zero(t, store.Stats().Writes.Done)
}

// TestACancelledWriteHasAnUnknownOutcome verifies that the error of a cancelled write has the code outcome_unknown. The
// database may have stored the write.
func TestACancelledWriteHasAnUnknownOutcome(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	r := conditionalWrite(t, store, holders(2)[0], "box-1", "entry-0")
	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := store.WriteIfUnchanged(ctx, r)
	refusal, ok := errors.AsType[*domain.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "outcome_unknown", refusal.Code)
	release()
	store.Close()
	require.Len(t, pgtest.Column(t, url, writeEvents), 1)
}

// TestWritesUnderRaisedIsolation runs conflicting writes at stricter isolation levels. At these levels, a conflict is
// a database error that fails the entire statement.
func TestWritesUnderRaisedIsolation(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"repeatable read", "serializable"} {
		_, url := openOffice(t)
		store := openStoreOn(t, pgtest.WithParameter(t, url, "default_transaction_isolation", level), nil)
		var all []ports.ConditionalWrite
		for n := range 10 {
			r := conditionalWrite(t, store, holders(2)[0], "box-1", domain.EntryKey(fmt.Sprintf("entry-%d", n%2)))
			r.Event = event(t, "written")
			all = append(all, r)
		}
		stored := writeTogether(t, store, url, all)
		require.Positive(t, stored)
		require.LessOrEqual(t, stored, 2)
		require.Len(t, pgtest.Column(t, url, writeEvents), stored)
	}
}

// TestWritesDoNotWaitForLocks verifies that writes do not wait for the deletion of a user. The deletion can take
// long, and it locks the user's row and the versions that the user wrote.
func TestWritesDoNotWaitForLocks(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, store *postgres.Store, n int) bool {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		stored, err := store.WriteIfUnchanged(ctx,
			conditionalWrite(t, store, holders(n)[0], "box-1", domain.EntryKey(fmt.Sprintf("entry-%d", n%3))))
		require.NoError(t, err, "waiting for the lock would take five seconds")
		return stored
	}
	t.Run("the author is being deleted", func(t *testing.T) {
		t.Parallel()
		store, url := openOffice(t)
		execute(t, url, `UPDATE boxes SET owner_id = uuid_of(1, 1)`)
		refusal := errors.New("rolled back")
		require.ErrorIs(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			user, err := repos.Users.LockToDelete(ctx, "user-2")
			require.NoError(t, err)
			require.NoError(t, repos.Users.Delete(ctx, user.ID))
			require.False(t, write(t, store, 2))
			require.True(t, write(t, store, 3))
			return refusal
		}), refusal)
		require.True(t, write(t, store, 2))
	})
	t.Run("an old version is locked", func(t *testing.T) {
		t.Parallel()
		store, url := openOffice(t)
		release := hold(t, url, `UPDATE entry_versions SET author_id = NULL WHERE version <= 2`)
		require.True(t, write(t, store, 3))
		require.Equal(t, []string{"4: 1 value 101, 2 value 102, 3 value 103, 4 new value"},
			pgtest.Column(t, url, versionsOfEntry0))
		release()
		execute(t, url, `SELECT FROM entry_versions FOR UPDATE`)
		require.True(t, write(t, store, 3))
		require.Equal(t, []string{"5: 4 new value, 5 new value"}, pgtest.Column(t, url, versionsOfEntry0),
			"the next write deletes what was left")
	})
}
