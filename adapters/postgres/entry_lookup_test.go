package postgres_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/rounds"
)

// office inserts ten users with a credential of each kind. Users n to n+4 are members of box n. The last of the five
// members has no permission to read. Each box has four entries with three versions each. One of the four entries is
// deleted.
const office = `
INSERT INTO users (id, name, role, is_active, created_at, updated_at)
	SELECT uuid_of(1, n), 'user-' || n, 'user', n <> 9, now(), now() FROM generate_series(0, 9) n;
INSERT INTO api_keys (id, user_id, name, key_id, created_at, expires_at)
	SELECT uuid_of(2, n), uuid_of(1, n), 'key ' || n, uuid_of(9, 1), now(),
		CASE WHEN n % 2 = 0 THEN now() + interval '1 hour' END FROM generate_series(0, 9) n;
INSERT INTO sessions (id, user_id, key_id, epoch, created_at, expires_at)
	SELECT uuid_of(3, n), uuid_of(1, n), uuid_of(9, 2), n % 4 / 3, now(), now() + interval '1 day'
	FROM generate_series(0, 9) n;
INSERT INTO token_families (id, user_id, epoch, created_at, expires_at)
	SELECT uuid_of(7, n), uuid_of(1, n), 0, now(), now() + interval '1 hour' FROM generate_series(0, 9) n;
INSERT INTO token_pairs (id, family_id, access_hash, refresh_hash, access_expires_at, created_at)
	SELECT uuid_of(8, n), uuid_of(7, n), sha256(('a' || n || '/1')::bytea), sha256(('r' || n || '/1')::bytea),
		now() + interval '1 hour', now() FROM generate_series(0, 9) n;
INSERT INTO boxes (id, name, owner_id, kdf_salt, entry_count, created_at, updated_at)
	SELECT uuid_of(4, n), 'box-' || n, uuid_of(1, n), decode(lpad(to_hex(n), 32, '0'), 'hex'), 3, now(), now()
	FROM generate_series(0, 9) n;
INSERT INTO box_users (box_id, user_id, role, is_active, permissions)
	SELECT uuid_of(4, n), uuid_of(1, (n + i) % 10), CASE i WHEN 0 THEN 'boxadmin' ELSE 'boxuser' END, i <> 3,
		CASE i WHEN 4 THEN 1 ELSE 15 END
	FROM generate_series(0, 9) n, generate_series(0, 4) i;
INSERT INTO server_keys (id, purpose, generation, wrapped, created_at) VALUES
	(uuid_of(9, 1), 'entry', 1, '\x01', now()), (uuid_of(9, 2), 'session', 1, '\x01', now());
INSERT INTO entries (box_id, key, version, updated_at, deleted_at)
	SELECT uuid_of(4, n), 'entry-' || i, 3, now(), CASE WHEN i = 3 THEN now() END
	FROM generate_series(0, 9) n, generate_series(0, 3) i;
INSERT INTO entry_versions (box_id, key, version, sealed_as, key_id, envelope, value, author_id, created_at)
	SELECT uuid_of(4, n), 'entry-' || i, v, v, uuid_of(9, 1), ('envelope ' || n || i || v)::bytea,
		('value ' || n || i || v)::bytea, uuid_of(1, n), now()
	FROM generate_series(0, 9) n, generate_series(0, 3) i, generate_series(1, 3) v;`

func openOffice(t *testing.T) (store *postgres.Store, url string) {
	t.Helper()
	store, url = openStore(t, nil)
	execute(t, url, uuidOf+";"+office)
	return store, url
}

// query holds the arguments of one lookup. Some queries name box 10, user 10 or entry 4, which do not exist.
type query struct {
	credential domain.Credential
	box        domain.BoxName
	key        domain.EntryKey
	version    uint64
	write      bool
}

func (q query) run(ctx context.Context, store *postgres.Store) (ports.EntrySnapshot, error) {
	if q.write {
		return store.LookUpForWrite(ctx, q.credential, q.box, q.key)
	}
	return store.LookUp(ctx, q.credential, q.box, q.key, q.version)
}

func allQueries() []query {
	var all []query
	for user := range 11 {
		for _, credential := range holders(user) {
			for box := range 11 {
				key := domain.EntryKey(fmt.Sprintf("entry-%d", (user+box)%5))
				for version := range uint64(5) {
					all = append(all, query{
						credential: credential,
						box:        boxNamed(box),
						key:        key,
						version:    version,
					})
				}
				all = append(all, query{
					credential: credential,
					box:        boxNamed(box),
					key:        key,
					write:      true,
				})
			}
		}
	}
	stolen := holders(3)[0]
	stolen.User = crowdID(1, 4)
	return append(all, query{credential: stolen, box: "box-4", key: "entry-0"},
		query{box: "box-4", key: "entry-0",
			credential: domain.Credential{Kind: domain.APIKeyCredential, ID: crowdID(3, 4), User: crowdID(1, 4)}})
}

// requireStarted waits until the given number of goroutines has started. It then waits a little longer, because the
// goroutines still have to enter the queue or a batch.
func requireStarted(t *testing.T, started *atomic.Int64, count int) {
	t.Helper()
	require.Eventually(t, func() bool { return started.Load() == int64(count) }, 4*time.Second, time.Millisecond)
	time.Sleep(50 * time.Millisecond)
}

// TestBatchedLookupsEqualSingleOnes runs many lookups concurrently. It compares each result with the result of the
// same lookup in a batch of one.
func TestBatchedLookupsEqualSingleOnes(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	queries := allQueries()
	rand.Shuffle(len(queries), func(i, j int) { queries[i], queries[j] = queries[j], queries[i] })
	alone := make([]ports.EntrySnapshot, len(queries))
	values := 0
	for i, q := range queries {
		var err error
		alone[i], err = q.run(t.Context(), store)
		require.NoError(t, err)
		if alone[i].Version.Sealed.Value != nil {
			require.True(t, alone[i].Access.Member.Permissions.Have(domain.ReadEntry) && alone[i].Access.Member.Active)
			values++
		}
	}
	require.Greater(t, values, 100)

	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`) // makes the lookups queue
	var group sync.WaitGroup
	var started atomic.Int64
	for i, q := range queries {
		group.Go(func() {
			started.Add(1)
			snapshot, err := q.run(t.Context(), store)
			if err != nil {
				t.Errorf("%v: %v", q, err)
				return
			}
			require.Equal(t, alone[i], snapshot, "%v", q)
		})
	}
	requireStarted(t, &started, len(queries))
	release()
	group.Wait()
	store.Close() // results arrive before their batch is counted
	together := store.Stats().Lookups
	require.Equal(t, int64(2*len(queries)), together.Done)
	require.Less(t, together.Batches, int64(len(queries)+len(queries)/10), "they shared batches")
}

// TestTheNewestVersion verifies that a lookup returns the newest version even if the row of the entry names an older
// version. It also verifies that a lookup of a deleted entry returns no version.
func TestTheNewestVersion(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	lookUp := func(key domain.EntryKey, version uint64) ports.EntrySnapshot {
		snapshot, err := store.LookUp(t.Context(), holders(2)[0], "box-1", key, version)
		require.NoError(t, err)
		return snapshot
	}
	for version, value := range map[uint64]string{0: "value 103", 1: "value 101", 3: "value 103", 4: ""} {
		snapshot := lookUp("entry-0", version)
		require.True(t, snapshot.Entry.Exists())
		require.Equal(t, value, string(snapshot.Version.Sealed.Value))
	}
	execute(t, url, `UPDATE entries SET version = 2 WHERE key = 'entry-0'`)
	require.Equal(t, uint64(3), lookUp("entry-0", 0).Version.Place.Version)
	for _, key := range []domain.EntryKey{"entry-3", "entry-9"} { // deleted, and never written
		for version := range uint64(4) {
			snapshot := lookUp(key, version)
			require.False(t, snapshot.Entry.Exists())
			require.Zero(t, snapshot.Version)
		}
	}
	execute(t, url, `UPDATE entries SET swept = true WHERE key = 'entry-3';
		DELETE FROM entry_versions WHERE key = 'entry-3'`)
	require.False(t, lookUp("entry-3", 0).Entry.Exists())
}

// TestALargeValueIsReadOutsideTheBatch verifies that a lookup returns a large value completely, and returns it only to
// callers with the permission to read.
func TestALargeValueIsReadOutsideTheBatch(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	execute(t, url, `UPDATE entry_versions SET value = decode(repeat('ab', 200000), 'hex') WHERE key = 'entry-1'`)
	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	var group sync.WaitGroup
	var started atomic.Int64
	for n := range 30 {
		group.Go(func() {
			started.Add(1)
			credential, key := holders(2)[n%3], domain.EntryKey(fmt.Sprintf("entry-%d", n%2))
			snapshot, err := store.LookUp(t.Context(), credential, "box-1", key, 0)
			want := map[domain.EntryKey]int{"entry-0": len("value 103"), "entry-1": 200000}[key]
			if err != nil || len(snapshot.Version.Sealed.Value) != want {
				t.Errorf("%s: %d bytes, %v", key, len(snapshot.Version.Sealed.Value), err)
			}
		})
	}
	requireStarted(t, &started, 30)
	release()
	group.Wait()
	none, err := store.LookUp(t.Context(), holders(5)[0], "box-1", "entry-1", 0) // user 5 may not read
	require.NoError(t, err)
	require.Nil(t, none.Version.Sealed.Value)
}

// TestALookupSeesEarlierChanges verifies that a lookup sees every change that was committed before the lookup started,
// even if the lookup waits in the queue of a batcher.
func TestALookupSeesEarlierChanges(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	key := holders(2)[0]
	var group sync.WaitGroup
	ended := make(chan struct{})
	for n := range 8 { // so that a batch is always running
		group.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
					_, _ = store.LookUp(t.Context(), holders(n)[0], "box-1", "entry-0", 0)
				}
			}
		})
	}
	for round := range rounds.Choose(30, 100) {
		may := round%2 == 1
		execute(t, url, `UPDATE box_users SET permissions = $1
			WHERE box_id = uuid_of(4, 1) AND user_id = uuid_of(1, 2)`, map[bool]int16{true: 15, false: 0}[may])
		snapshot, err := store.LookUp(t.Context(), key, "box-1", "entry-0", 0)
		require.NoError(t, err)
		require.Equal(t, may, snapshot.Access.Use(domain.ReadEntry) == nil)
		require.Equal(t, may, snapshot.Version.Sealed.Value != nil)
	}
	close(ended)
	group.Wait()
}

func TestLookupsWithoutADatabase(t *testing.T) {
	t.Parallel()
	store, url := openOffice(t)
	q := query{credential: holders(1)[0], box: "box-1", key: "entry-0"}
	release := hold(t, url, `LOCK TABLE users IN ACCESS EXCLUSIVE MODE`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	for range 5 {
		group.Go(func() {
			if _, err := q.run(ctx, store); err == nil || domain.KindOf(err) != domain.Unavailable {
				t.Errorf("the error is not Unavailable: %v", err)
			}
		})
	}
	group.Wait()
	release()
	_, err := q.run(t.Context(), store)
	require.NoError(t, err)
	store.Close()
	_, err = q.run(t.Context(), store)
	require.ErrorIs(t, err, domain.Unavailable)
}
