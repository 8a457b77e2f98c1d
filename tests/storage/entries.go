package storage

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// stored returns the stored version numbers of an entry, newest first.
func (f *fixture) stored(box domain.Box, key domain.EntryKey) []uint64 {
	f.Helper()
	list, err := f.Read().Entries.Versions(f.Context(), box.ID, key)
	require.NoError(f, err)
	numbers := make([]uint64, len(list))
	for i, version := range list {
		numbers[i] = version.Version
	}
	return numbers
}

// The numbers method is like the stored method, for an entry that is not deleted. It also verifies that the field
// Current is true for the newest version only.
func (f *fixture) numbers(box domain.Box, key domain.EntryKey) []uint64 {
	f.Helper()
	list, err := f.Read().Entries.Versions(f.Context(), box.ID, key)
	require.NoError(f, err)
	for i, version := range list {
		require.Equal(f, i == 0, version.Current)
	}
	return f.stored(box, key)
}

func entryVersions(f *fixture) {
	o := f.office()
	entries := f.Read().Entries
	for want := uint64(1); want <= 4; want++ {
		require.Equal(f, want, f.write(o, "entry", "value", 3))
	}
	require.Equal(f, []uint64{4, 3, 2}, f.numbers(o.box, "entry"))
	require.Equal(f, uint64(5), f.write(o, "entry", "newest", 0))
	require.Equal(f, []uint64{5, 4, 3, 2}, f.numbers(o.box, "entry"), "0 keeps all versions")
	list, err := entries.Versions(f.Context(), o.box.ID, "entry")
	require.NoError(f, err)
	require.Equal(f, domain.EntryVersion{
		Version:   5,
		Author:    o.owner.Name,
		CreatedAt: f.now,
		Current:   true,
	}, list[0])

	stored, err := entries.Version(f.Context(), o.box.ID, "entry", 5)
	require.NoError(f, err)
	want := f.newVersion(domain.Entry{Box: o.box.ID, Key: "entry", Version: 5}, o.owner.ID, "newest")
	require.Equal(f, ports.StoredVersion{
		Place:     want.Place,
		Sealed:    want.Sealed,
		CreatedAt: f.now,
		Author:    o.owner.ID,
	}, stored)
	_, err = entries.Version(f.Context(), o.box.ID, "entry", 1)
	f.requireCode(err, domain.NotFound, "version_not_found")
	_, err = entries.Versions(f.Context(), o.box.ID, "unknown")
	f.requireCode(err, domain.NotFound, "entry_not_found")
	require.Equal(f, []string{"write", "write", "write", "write", "write"}, f.targets(), "each write is audited")
}

func entryCounter(f *fixture) {
	o := f.office()
	entries := f.Read().Entries
	later := f.now.Add(time.Hour)
	require.NoError(f, entries.CountIn(f.Context(), o.box.ID, "key", 2, later))
	require.NoError(f, entries.CountIn(f.Context(), o.box.ID, "key", 2, later))
	f.requireCode(entries.CountIn(f.Context(), o.box.ID, "key", 2, later), domain.Conflict, "limit_reached")
	require.NoError(f, entries.CountOut(f.Context(), o.box.ID, later))
	require.NoError(f, entries.CountIn(f.Context(), o.box.ID, "key", 2, later))
	require.NoError(f, entries.CountIn(f.Context(), o.box.ID, "key", 0, later), "0 is no limit")
	_, updated, err := f.Read().Boxes.Describe(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Equal(f, later, updated)
	f.requireCode(entries.CountIn(f.Context(), f.id(), "key", 2, later), domain.NotFound, "box_not_found")
	require.ErrorIs(f, entries.CountOut(f.Context(), f.id(), later), domain.NotFound)
}

func entryCounterUnderConcurrency(f *fixture) {
	o := f.office()
	var group sync.WaitGroup
	var counted atomic.Int64
	for range 12 {
		group.Go(func() {
			switch err := f.Read().Entries.CountIn(f.Context(), o.box.ID, "key", 5, f.now); {
			case err == nil:
				counted.Add(1)
			case domain.CodeOf(err) != "limit_reached":
				f.Errorf("count: %v", err)
			}
		})
	}
	group.Wait()
	require.Equal(f, int64(5), counted.Load())
}

// deletedKeysCount verifies how a box counts the keys of deleted entries. Such a key counts against the box's limit
// until the janitor removes the entry's versions. If the entry is written again, its key does not count twice.
func deletedKeysCount(f *fixture) {
	o := f.office()
	for _, key := range []domain.EntryKey{"live", "deleted", "swept"} {
		f.write(o, key, "value", 0)
	}
	remove := func(key domain.EntryKey, at time.Time) {
		f.do(func(ctx context.Context, repos ports.Repos) error {
			require.NoError(f, repos.Entries.CountOut(ctx, o.box.ID, at))
			return repos.Entries.MarkDeleted(ctx, domain.Entry{Box: o.box.ID, Key: key, UpdatedAt: at})
		})
	}
	remove("deleted", f.now)
	remove("swept", f.now.Add(-time.Hour))
	count := func(key domain.EntryKey, limit int) error {
		return f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			if err := repos.Entries.CountIn(ctx, o.box.ID, key, limit, f.now); err != nil {
				return err
			}
			return errRollback
		})
	}
	f.requireCode(count("new", 3), domain.Conflict, "limit_reached")
	require.ErrorIs(f, count("deleted", 3), errRollback)
	require.ErrorIs(f, count("new", 4), errRollback)
	require.ErrorIs(f, count("new", 0), errRollback, "0 is no limit")
	require.Equal(f, []int{1}, f.sweep(f.DeleteRemovedEntries, f.now.Add(-time.Minute), 5))
	require.ErrorIs(f, count("new", 3), errRollback)
	f.requireCode(count("new", 2), domain.Conflict, "limit_reached")
}

// locked locks an entry in a transaction of its own and returns the result of Lock.
func (f *fixture) locked(o office, key domain.EntryKey) (locked ports.LockedEntry) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) (err error) {
		locked, err = repos.Entries.Lock(ctx, o.credentials[0], o.box, key, f.now)
		return err
	})
	return locked
}

// reserve writes the next version of an entry and changes the entry's reservation.
func (f *fixture) reserve(o office, key domain.EntryKey, reservation ports.Reservation) error {
	f.Helper()
	return f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Boxes.Lock(ctx, o.box.ID))
		locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, key, f.now)
		require.NoError(f, err)
		entry := locked.Entry.Next(f.now)
		version := f.newVersion(entry, o.owner.ID, "value")
		version.Reservation = &reservation
		return repos.Entries.AddVersion(ctx, entry, version, 0, f.event("reserved"))
	})
}

func entryReservation(f *fixture) {
	o := f.office()
	require.Zero(f, f.locked(o, "entry").Room)
	stored := func() (versions, largest int) {
		versions, largest, err := f.Read().Entries.Stored(f.Context(), o.box.ID, "entry")
		require.NoError(f, err)
		return versions, largest
	}
	versions, largest := stored()
	require.Equal(f, []int{0, 0}, []int{versions, largest})
	room := domain.Room{SlotBytes: 1000, Slots: 4, Until: 9}
	require.NoError(f, f.reserve(o, "entry", ports.Reservation{Room: room, Added: 4000, Limit: 4000}))
	f.write(o, "entry", "a longer value", 0)
	require.Equal(f, room, f.locked(o, "entry").Room, "a write without a reservation does not change the reservation")
	versions, largest = stored()
	require.Equal(f, []int{2, len("a longer value")}, []int{versions, largest})
}

func entryReservationLimit(f *fixture) {
	o := f.office()
	room := domain.Room{SlotBytes: 1000, Slots: 4, Until: 9}
	require.NoError(f, f.reserve(o, "one", ports.Reservation{Room: room, Added: 4000, Limit: 9000}))
	require.NoError(f, f.reserve(o, "two", ports.Reservation{Room: room, Added: 4000, Limit: 9000}))
	f.requireCode(f.reserve(o, "three", ports.Reservation{Room: room, Added: 1001, Limit: 9000}), domain.Conflict,
		"limit_reached")
	require.Equal(f, []string{"reserved", "reserved"}, f.targets(),
		"the refused reservation and its event are not stored")
	require.NoError(f, f.reserve(o, "two", ports.Reservation{Room: room, Added: -4000, Limit: 3000}),
		"a reservation can be reduced even if the sum stays above the limit")
	require.NoError(f, f.reserve(o, "three", ports.Reservation{Room: room, Added: 5000, Limit: 9000}))

	// The sum of concurrent reservations must not exceed the limit.
	var group sync.WaitGroup
	var stored atomic.Int64
	for i := range 6 {
		group.Go(func() {
			reservation := ports.Reservation{Room: room, Added: 4000, Limit: 20000}
			switch err := f.reserve(o, domain.EntryKey(fmt.Sprint(i)), reservation); {
			case err == nil:
				stored.Add(1)
			case domain.CodeOf(err) != "limit_reached":
				f.Errorf("reserve: %v", err)
			}
		})
	}
	group.Wait()
	require.Equal(f, int64(2), stored.Load())
}

func entryKeys(f *fixture) {
	o := f.office()
	for _, key := range []domain.EntryKey{"b/2", "a", "b/1", "b", "c"} {
		f.write(o, key, "value", 0)
	}
	f.do(func(ctx context.Context, repos ports.Repos) error {
		return repos.Entries.MarkDeleted(ctx, domain.Entry{Box: o.box.ID, Key: "c", UpdatedAt: f.now})
	})
	for prefix, want := range map[string][]domain.EntryKey{
		"": {"a", "b", "b/1", "b/2"}, "b": {"b", "b/1", "b/2"}, "b/": {"b/1", "b/2"}, "c": {}, "%": {},
	} {
		keys, err := f.Read().Entries.Keys(f.Context(), o.box.ID, prefix)
		require.NoError(f, err)
		require.Equal(f, want, keys, prefix)
	}
}

func entryDelete(f *fixture) {
	o := f.office()
	f.write(o, "entry", "value", 0)
	version := f.write(o, "entry", "value", 0)
	entry := domain.Entry{
		Box:       o.box.ID,
		Key:       "entry",
		Version:   version - 1,
		UpdatedAt: f.now.Add(time.Second),
	}
	remove := func() bool {
		deleted, err := f.Read().Entries.DeleteVersion(f.Context(), entry)
		require.NoError(f, err)
		return deleted
	}
	unchanged := func() (unchanged bool) {
		f.do(func(ctx context.Context, repos ports.Repos) (err error) {
			unchanged, err = repos.Entries.LockVersion(ctx, entry)
			return err
		})
		return unchanged
	}
	require.False(f, remove(), "the value is another version")
	require.False(f, unchanged(), "the value is another version")
	entry.Version = version
	require.True(f, unchanged())
	require.True(f, remove())
	require.False(f, remove(), "the value was already deleted")
	require.False(f, unchanged(), "the value was already deleted")
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, "entry", f.now)
		require.NoError(f, err)
		require.False(f, locked.Entry.Exists())
		require.Equal(f, version, locked.Entry.Version, "version numbers do not restart")
		return nil
	})
	_, err := f.Read().Entries.Version(f.Context(), o.box.ID, "entry", version)
	require.NoError(f, err, "the versions of a deleted entry are still stored")
	require.Equal(f, version+1, f.write(o, "entry", "restored", 0))
	require.Equal(f, []uint64{3, 2, 1}, f.numbers(o.box, "entry"))
}

// entryLockReturnsAccess verifies that Lock waits for a concurrent writer. Lock returns the entry and the caller's
// access. Both must then include the changes of the writer.
func entryLockReturnsAccess(f *fixture) {
	o := f.office()
	user := f.addUser("member")
	member := f.addMember(o.box, user, domain.AllPermissions)
	credential := f.addAPIKey(user)
	f.write(o, "entry", "value", 0)
	lock := func(ctx context.Context, repos ports.Repos) (ports.LockedEntry, error) {
		return repos.Entries.Lock(ctx, credential, o.box, "entry", f.now)
	}
	second := make(chan error, 1)
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := lock(ctx, repos)
		require.NoError(f, err)
		require.Equal(f, uint64(1), locked.Entry.Version)
		require.Equal(f, domain.AllPermissions, locked.Access.Member.Permissions)
		go func() {
			second <- f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
				locked, err := lock(ctx, repos)
				if err == nil && (locked.Entry.Version != 2 || locked.Access.Member.Permissions != domain.ReadEntry) {
					f.Errorf("Lock returned an outdated entry or outdated access: %+v", locked)
				}
				return err
			})
		}()
		time.Sleep(50 * time.Millisecond) // gives Lock the time to reach the lock
		member.Permissions = domain.ReadEntry
		require.NoError(f, repos.BoxUsers.Save(ctx, member))
		entry := locked.Entry.Next(f.now)
		return repos.Entries.AddVersion(ctx, entry, f.newVersion(entry, user.ID, "value"), 0, f.event("write"))
	})
	require.NoError(f, <-second)

	require.NoError(f, f.Read().Boxes.Delete(f.Context(), o.box.ID))
	f.requireCode(f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		_, err := lock(ctx, repos)
		return err
	}), domain.NotFound, "box_not_found")
}

func entryStaleServerKey(f *fixture) {
	o := f.office()
	f.write(o, "entry", "value", 0)
	add := func(author domain.UserID) error {
		return f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, "entry", f.now)
			require.NoError(f, err)
			entry := locked.Entry.Next(f.now)
			return repos.Entries.AddVersion(ctx, entry, f.newVersion(entry, author, "value"), 0, f.event("refused"))
		})
	}
	require.ErrorIs(f, add(f.id()), domain.Unauthenticated, "the author does not exist")
	f.retire(f.keys[domain.KeyForEntries])
	require.ErrorIs(f, add(o.owner.ID), ports.ErrStaleServerKey)
	require.Equal(f, 2, f.reloads, "it was retried twice")
	require.Equal(f, []uint64{1}, f.numbers(o.box, "entry"))
	require.Equal(f, []string{"write"}, f.targets())
}
