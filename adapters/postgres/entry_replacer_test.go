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
)

// replacement is a version of an entry to come after the one that the holder of a credential finds now.
func replacement(t *testing.T, store *postgres.Store, credential domain.Credential, box domain.BoxName,
	key domain.EntryKey) ports.ConditionalWrite {
	t.Helper()
	facts, err := store.LookUpForWrite(t.Context(), credential, box, key)
	require.NoError(t, err)
	require.True(t, facts.Entry.Exists())
	place := ports.Place{
		Box:      facts.Access.Box.ID,
		Key:      key,
		Version:  facts.Entry.Version + 1,
		SealedAs: facts.Entry.Version + 1,
	}
	return ports.ConditionalWrite{
		Snapshot: facts,
		At:       clock{}.Now(),
		Keep:     2,
		Event:    event(t, "replaced").On(key),
		Version: ports.NewVersion{
			Place: place, Author: facts.Access.Caller.UserID,
			Sealed: ports.SealedValue{ServerKey: crowdID(9, 1), Envelope: []byte("new envelope"),
				Value: []byte("new value")},
		},
	}
}

const (
	versionsOfEntry0 = `SELECT e.version || ': ' || string_agg(v.version || ' ' || convert_from(v.value, 'UTF8'), ', ' ORDER BY v.version)
		FROM entries e JOIN entry_versions v USING (box_id, key) WHERE box_id = uuid_of(4, 1) AND key = 'entry-0' GROUP BY e.version`
	replacedEvents = `SELECT entry_key FROM events WHERE target = 'replaced' ORDER BY 1`
)

func TestAReplacementIsStoredWhole(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	for i, credential := range holders(2) {
		r := replacement(t, store, credential, "box-1", "entry-0")
		stored, err := store.WriteIfUnchanged(t.Context(), r)
		require.NoError(t, err)
		require.True(t, stored, credential.Kind)
		require.Len(t, rows(t, url, replacedEvents), i+1)
		facts, err := store.LookUp(t.Context(), credential, "box-1", "entry-0", 0)
		require.NoError(t, err)
		require.Equal(t, r.Version.Place, facts.Version.Place)
		require.Equal(t, r.Version.Sealed, facts.Version.Sealed)
		require.Equal(t, r.At, facts.Entry.UpdatedAt)
		require.Equal(t, r.At, facts.Version.CreatedAt)
	}
	require.Equal(t, []string{"6: 5 new value, 6 new value"}, rows(t, url, versionsOfEntry0), "two are kept")
	require.Equal(t, []string{"user-2"},
		rows(t, url, `SELECT DISTINCT u.name FROM entry_versions v JOIN users u ON u.id = v.author_id
		WHERE v.box_id = uuid_of(4, 1) AND v.key = 'entry-0'`))

	r := replacement(t, store, holders(2)[0], "box-1", "entry-0")
	r.Keep = 0
	stored, err := store.WriteIfUnchanged(t.Context(), r)
	require.NoError(t, err)
	require.True(t, stored)
	require.Equal(t, []string{"7: 5 new value, 6 new value, 7 new value"}, rows(t, url, versionsOfEntry0),
		"all are kept")
}

// TestAReplacementHoldsOnlyAsItWasDecided: whatever it was decided upon is otherwise by now, and nothing is stored.
func TestAReplacementHoldsOnlyAsItWasDecided(t *testing.T) {
	t.Parallel()
	const here = ` WHERE box_id = uuid_of(4, 1) AND key = 'entry-0'`
	everybody := map[string]string{
		"the user is inactive":              `UPDATE users SET is_active = false WHERE id = uuid_of(1, 2)`,
		"out of the box":                    `DELETE FROM box_users WHERE user_id = uuid_of(1, 2)`,
		"inactive in the box":               `UPDATE box_users SET is_active = false WHERE user_id = uuid_of(1, 2)`,
		"fewer permissions":                 `UPDATE box_users SET permissions = 11 WHERE user_id = uuid_of(1, 2)`,
		"the box is deleted":                `DELETE FROM boxes WHERE id = uuid_of(4, 1)`,
		"the box has another name":          `UPDATE boxes SET name = 'moved' WHERE id = uuid_of(4, 1)`,
		"another box has its name":          `UPDATE boxes SET name = 'moved' WHERE id = uuid_of(4, 1); UPDATE boxes SET name = 'box-1' WHERE id = uuid_of(4, 2)`,
		"somebody wrote the entry":          `UPDATE entries SET version = version + 1` + here,
		"somebody deleted the entry":        `UPDATE entries SET deleted_at = now()` + here,
		"the entry is gone":                 `DELETE FROM entries` + here,
		"the server key is retired":         `UPDATE server_keys SET retired_at = now() WHERE id = uuid_of(9, 1)`,
		"the version is there all the same": `INSERT INTO entry_versions SELECT box_id, key, 4, 4, key_id, envelope, value, NULL, now() FROM entry_versions` + here + ` AND version = 3`,
	}
	own := map[domain.CredentialKind]map[string]string{
		domain.APIKeyCredential: {
			"the key is revoked":           `DELETE FROM api_keys`,
			"the key ends at another time": `UPDATE api_keys SET expires_at = now()`,
			"the key never ends":           `UPDATE api_keys SET expires_at = NULL`,
		},
		domain.SessionCredential: {
			"the session is over":        `DELETE FROM sessions`,
			"all sessions are over":      `UPDATE users SET session_epoch = session_epoch + 1`,
			"it is another user's":       `UPDATE sessions SET user_id = uuid_of(1, 3) WHERE user_id = uuid_of(1, 2)`,
			"the session ends otherwise": `UPDATE sessions SET expires_at = now()`,
		},
		domain.AccessTokenCredential: {
			"the pair is spent":       `UPDATE token_pairs SET spent_at = now()`,
			"the family is revoked":   `UPDATE token_families SET revoked_at = now()`,
			"all sessions are over":   `UPDATE users SET session_epoch = session_epoch + 1`,
			"the pair ends otherwise": `UPDATE token_pairs SET access_expires_at = now()`,
		},
	}
	for _, credential := range holders(2) {
		for _, changes := range []map[string]string{everybody, own[credential.Kind]} {
			for what, sql := range changes {
				t.Run(string(credential.Kind)+"/"+what, func(t *testing.T) {
					t.Parallel()
					store, url := openOffice(t)
					r := replacement(t, store, credential, "box-1", "entry-0")
					execute(t, url, sql)
					before := rows(t, url, versionsOfEntry0)
					stored, err := store.WriteIfUnchanged(t.Context(), r)
					require.NoError(t, err)
					require.False(t, stored)
					require.Equal(t, before, rows(t, url, versionsOfEntry0))
					require.Empty(t, rows(t, url, replacedEvents))
				})
			}
		}
	}
}

// replaceTogether makes all replacements at once, behind a lock that lets the first of them begin and the others gather,
// and returns how many were stored.
func replaceTogether(t *testing.T, store *postgres.Store, url string, all []ports.ConditionalWrite) (stored int) {
	t.Helper()
	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	var group sync.WaitGroup
	var begun, count atomic.Int64
	for _, r := range all {
		group.Go(func() {
			begun.Add(1)
			held, err := store.WriteIfUnchanged(t.Context(), r)
			if err != nil {
				t.Errorf("%s: %v", r.Version.Place.Key, err)
			}
			if held {
				count.Add(1)
			}
		})
	}
	requireBegun(t, &begun, len(all))
	release()
	group.Wait()
	return int(count.Load())
}

func TestReplacementsOfManyAreStoredTogether(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	var all []ports.ConditionalWrite
	for box := range 8 {
		for _, credential := range holders(box) {
			if credential.Kind == domain.SessionCredential && box%4 == 3 {
				continue // which is over
			}
			key := domain.EntryKey(fmt.Sprintf("entry-%d", len(all)%3))
			all = append(all, replacement(t, store, credential, boxNamed(box), key))
		}
	}
	require.Equal(t, len(all), replaceTogether(t, store, url, all))
	require.Less(t, store.ReplacementStats().Batches, int64(6))
	require.Len(t, rows(t, url, replacedEvents), len(all))
	for _, r := range all {
		facts, err := store.LookUpForWrite(t.Context(), r.Snapshot.Access.Caller.Credential, r.Snapshot.Access.Box.Name,
			r.Version.Place.Key)
		require.NoError(t, err)
		require.Equal(t, r.Version.Place, facts.Version.Place)
	}
}

// TestOneOfThoseWhoWantTheSameEntryGetsIt: the others have to look again.
func TestOneOfThoseWhoWantTheSameEntryGetsIt(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	var all []ports.ConditionalWrite
	for n := range 20 {
		r := replacement(t, store, holders(2)[n%3], "box-1", "entry-0")
		r.Event = event(t, "replaced")
		all = append(all, r)
	}
	require.Equal(t, 1, replaceTogether(t, store, url, all))
	require.Equal(t, []string{"4: 3 value 103, 4 new value"}, rows(t, url, versionsOfEntry0))
	require.Len(t, rows(t, url, replacedEvents), 1)
}

// TestARefusalOfTheDatabaseStoresNothing: PostgreSQL takes no zero byte in text, and refuses the whole statement.
func TestARefusalOfTheDatabaseStoresNothing(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	good, bad := replacement(t, store, holders(2)[0], "box-1", "entry-0"), replacement(t, store, holders(2)[0], "box-1",
		"entry-1")
	bad.Event.ActorName = "\x00"
	stored, err := store.WriteIfUnchanged(t.Context(), bad)
	require.NoError(t, err)
	require.False(t, stored, "whoever asked finds out the ordinary way what is wrong")
	require.Empty(t, rows(t, url, replacedEvents))
	require.Equal(t, []string{"3"},
		rows(t, url, `SELECT version::text FROM entries WHERE box_id = uuid_of(4, 1) AND key = 'entry-1'`))
	stored, err = store.WriteIfUnchanged(t.Context(), good)
	require.NoError(t, err)
	require.True(t, stored)
}

func TestWhatIsLockedIsPassedOver(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	locked, free := replacement(t, store, holders(2)[0], "box-1", "entry-0"), replacement(t, store, holders(2)[0],
		"box-1", "entry-1")
	release := hold(t, url, `SELECT FROM entries WHERE box_id = uuid_of(4, 1) AND key = 'entry-0' FOR UPDATE`)
	defer release()
	for r, want := range map[*ports.ConditionalWrite]bool{&locked: false, &free: true} {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		stored, err := store.WriteIfUnchanged(ctx, *r)
		cancel()
		require.NoError(t, err, "nobody waits for the lock, which would take five seconds")
		require.Equal(t, want, stored)
	}
}

func TestALargeValueIsNotStoredTogetherWithOthers(t *testing.T) {
	t.Parallel()
	store, _ := openOffice(t)
	r := replacement(t, store, holders(2)[0], "box-1", "entry-0")
	r.Version.Sealed.Value = make([]byte, 100<<10)
	stored, err := store.WriteIfUnchanged(t.Context(), r)
	require.NoError(t, err)
	require.False(t, stored)
	require.Zero(t, store.ReplacementStats().Done)
}

// TestAReplacementWhoseRequestEnds may be stored or not, and is not said to be either.
func TestAReplacementWhoseRequestEnds(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	r := replacement(t, store, holders(2)[0], "box-1", "entry-0")
	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := store.WriteIfUnchanged(ctx, r)
	refusal, ok := errors.AsType[*domain.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "outcome_unknown", refusal.Code)
	release()
	store.Close()
	require.Len(t, rows(t, url, replacedEvents), 1)
}

// TestReplacementsWhereTheIsolationIsRaised: a conflict is an error of the database there, for the whole statement.
func TestReplacementsWhereTheIsolationIsRaised(t *testing.T) {
	t.Parallel()
	for _, level := range []string{"repeatable read", "serializable"} {
		_, url := openOffice(t)
		store := openStoreOn(t, with(t, url, "default_transaction_isolation", level), nil)
		var all []ports.ConditionalWrite
		for n := range 10 {
			r := replacement(t, store, holders(2)[0], "box-1", domain.EntryKey(fmt.Sprintf("entry-%d", n%2)))
			r.Event = event(t, "replaced")
			all = append(all, r)
		}
		stored := replaceTogether(t, store, url, all)
		require.Positive(t, stored)
		require.LessOrEqual(t, stored, 2)
		require.Len(t, rows(t, url, replacedEvents), stored)
	}
}

// TestNobodyWaitsForLocksOfOthers: a deletion of a user can last, and holds its row and the versions that it wrote.
func TestNobodyWaitsForLocksOfOthers(t *testing.T) {
	t.Parallel()
	replace := func(t *testing.T, store *postgres.Store, n int) bool {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		stored, err := store.WriteIfUnchanged(ctx,
			replacement(t, store, holders(n)[0], "box-1", domain.EntryKey(fmt.Sprintf("entry-%d", n%3))))
		require.NoError(t, err, "the lock would be waited for five seconds")
		return stored
	}
	t.Run("the author is being deleted", func(t *testing.T) {
		t.Parallel()
		store, url := openOffice(t)
		execute(t, url, `UPDATE boxes SET owner_id = uuid_of(1, 1)`)
		refusal := errors.New("taken back")
		require.ErrorIs(t, store.Do(t.Context(), func(ctx context.Context, repos ports.Repos) error {
			user, err := repos.Users.LockToDelete(ctx, "user-2")
			require.NoError(t, err)
			require.NoError(t, repos.Users.Delete(ctx, user.ID))
			require.False(t, replace(t, store, 2))
			require.True(t, replace(t, store, 3))
			return refusal
		}), refusal)
		require.True(t, replace(t, store, 2))
	})
	t.Run("an old version is held", func(t *testing.T) {
		t.Parallel()
		store, url := openOffice(t)
		release := hold(t, url, `UPDATE entry_versions SET author_id = NULL WHERE version <= 2`)
		require.True(t, replace(t, store, 3))
		require.Equal(t, []string{"4: 1 value 101, 2 value 102, 3 value 103, 4 new value"},
			rows(t, url, versionsOfEntry0))
		release()
		execute(t, url, `SELECT FROM entry_versions FOR UPDATE`)
		require.True(t, replace(t, store, 3))
		require.Equal(t, []string{"5: 4 new value, 5 new value"}, rows(t, url, versionsOfEntry0),
			"the next write drops what was left")
	})
}
