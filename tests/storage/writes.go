package storage

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// conditionalWrite reads the current state of an entry, and returns a write of the entry's next version. The write is
// not stored yet.
func (f *fixture) conditionalWrite(credential domain.Credential, key domain.EntryKey,
	value string) ports.ConditionalWrite {
	f.Helper()
	snapshot, err := f.LookUpForWrite(f.Context(), credential, "box", key)
	require.NoError(f, err)
	require.True(f, snapshot.Entry.Exists())
	entry := snapshot.Entry.Next(f.now)
	return ports.ConditionalWrite{
		Snapshot: snapshot,
		Version:  f.newVersion(entry, snapshot.Access.Caller.UserID, value),
		At:       f.now.Add(time.Second),
		Keep:     2,
		Event:    f.event("written").On(key),
	}
}

// store runs a conditional write and returns whether it was stored.
func (f *fixture) store(write ports.ConditionalWrite) bool {
	f.Helper()
	stored, err := f.WriteIfUnchanged(f.Context(), write)
	require.NoError(f, err)
	return stored
}

func writerStores(f *fixture) {
	o := f.office()
	f.write(o, "entry", "first", 0)
	for i, credential := range o.credentials {
		write := f.conditionalWrite(credential, "entry", "next")
		require.True(f, f.store(write), credential.Kind)
		snapshot := f.lookUp(credential, "box", "entry", 0)
		require.Equal(f, write.Version.Place, snapshot.Version.Place)
		require.Equal(f, write.Version.Sealed, snapshot.Version.Sealed)
		require.Equal(f, write.At, snapshot.Version.CreatedAt)
		require.Equal(f, write.At, snapshot.Entry.UpdatedAt)
		require.Len(f, f.targets(), i+2, "each write is audited")
		require.False(f, f.store(write), "the entry has changed")
	}
	require.Equal(f, []uint64{4, 3}, f.numbers(o.box, "entry"), "two versions are kept")
	write := f.conditionalWrite(o.credentials[0], "entry", "next")
	write.Keep = 0
	require.True(f, f.store(write))
	require.Equal(f, []uint64{5, 4, 3}, f.numbers(o.box, "entry"), "0 keeps all versions")
	list, err := f.Read().Entries.Versions(f.Context(), o.box.ID, "entry")
	require.NoError(f, err)
	require.Equal(f, o.owner.Name, list[0].Author)
}

// A conditionChange makes a condition of a conditional write false. The given user has prepared the write. The key of
// the entry is the user's name.
type conditionChange func(user domain.User, member domain.BoxUser, credential domain.Credential)

func (f *fixture) conditionChanges(o office) map[string]conditionChange {
	return map[string]conditionChange{
		"inactive user": func(user domain.User, _ domain.BoxUser, _ domain.Credential) {
			f.saveUser(user.Name, func(u *domain.User) { u.Active = false })
		},
		"removed": func(user domain.User, _ domain.BoxUser, _ domain.Credential) {
			require.NoError(f, f.Read().BoxUsers.Remove(f.Context(), o.box.ID, user.ID))
		},
		"inactive": func(_ domain.User, member domain.BoxUser, _ domain.Credential) {
			member.Active = false
			require.NoError(f, f.Read().BoxUsers.Save(f.Context(), member))
		},
		"permissions": func(_ domain.User, member domain.BoxUser, _ domain.Credential) {
			member.Permissions = domain.ReadEntry | domain.CreateEntry
			require.NoError(f, f.Read().BoxUsers.Save(f.Context(), member))
		},
		"revoked": func(_ domain.User, _ domain.BoxUser, credential domain.Credential) {
			require.NoError(f, f.Read().APIKeys.Delete(f.Context(), credential.ID))
		},
		"written": func(user domain.User, _ domain.BoxUser, _ domain.Credential) {
			f.write(o, domain.EntryKey(user.Name), "another", 0)
		},
		"deleted": func(user domain.User, _ domain.BoxUser, _ domain.Credential) {
			require.NoError(f, f.Read().Entries.MarkDeleted(f.Context(),
				domain.Entry{Box: o.box.ID, Key: domain.EntryKey(user.Name), UpdatedAt: f.now}))
		},
	}
}

// writerConditions prepares conditional writes. Before each write is executed, one of its conditions becomes false. The
// write must then store neither a version nor an event.
func writerConditions(f *fixture) {
	o := f.office()
	for name, change := range f.conditionChanges(o) {
		user := f.addUser(domain.UserName(name))
		member := f.addMember(o.box, user, domain.AllPermissions)
		credential := f.addAPIKey(user)
		key := domain.EntryKey(name)
		f.write(o, key, "value", 0)
		write := f.conditionalWrite(credential, key, "refused")
		change(user, member, credential)
		versions, events := f.stored(o.box, key), len(f.targets())
		require.False(f, f.store(write), name)
		require.Equal(f, versions, f.stored(o.box, key), name)
		require.Len(f, f.targets(), events, name)
	}
	f.write(o, "entry", "value", 0)
	for i, credential := range o.credentials[1:] {
		write := f.conditionalWrite(credential, "entry", "refused")
		f.saveUser("owner", func(u *domain.User) { u.EndSessions() })
		require.False(f, f.store(write), credential.Kind)
		if i == 0 {
			f.saveUser("owner", func(u *domain.User) { u.SessionEpoch-- })
		}
	}
	write := f.conditionalWrite(o.credentials[0], "entry", "refused")
	f.retire(f.keys[domain.KeyForEntries])
	require.False(f, f.store(write), "the server key is retired")
	require.Equal(f, []uint64{1}, f.numbers(o.box, "entry"))
}

func writerOneOfMany(f *fixture) {
	o := f.office()
	f.write(o, "entry", "first", 0)
	f.write(o, "other", "first", 0)
	var writes []ports.ConditionalWrite
	for i := range 20 {
		key := map[bool]domain.EntryKey{true: "other", false: "entry"}[i == 7]
		writes = append(writes, f.conditionalWrite(o.credentials[i%3], key, "next"))
	}
	var group sync.WaitGroup
	var stored atomic.Int64
	for _, write := range writes {
		group.Go(func() {
			ok, err := f.WriteIfUnchanged(f.Context(), write)
			if err != nil {
				f.Errorf("write: %v", err)
			}
			if ok {
				stored.Add(1)
			}
		})
	}
	group.Wait()
	require.Equal(f, int64(2), stored.Load(), "one write of each entry")
	require.Equal(f, []uint64{2, 1}, f.numbers(o.box, "entry"))
	require.Equal(f, []uint64{2, 1}, f.numbers(o.box, "other"))
	require.Len(f, f.targets(), 4)
}

func writerDoesNotWait(f *fixture) {
	o := f.office()
	f.write(o, "locked", "first", 0)
	f.write(o, "free", "first", 0)
	locked := f.conditionalWrite(o.credentials[0], "locked", "next")
	free := f.conditionalWrite(o.credentials[0], "free", "next")
	f.do(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, "locked", f.now)
		require.NoError(f, err)
		ctx, cancel := context.WithTimeout(f.Context(), 3*time.Second)
		defer cancel()
		for write, want := range map[*ports.ConditionalWrite]bool{&locked: false, &free: true} {
			stored, err := f.WriteIfUnchanged(ctx, *write)
			require.NoError(f, err)
			require.Equal(f, want, stored)
		}
		return nil
	})
	require.True(f, f.store(locked), "after the lock was released")
}

// writerReservation verifies a conditional write to a box whose storage is limited. The write must be stored only if
// the entry's reservation is large enough for the new version.
func writerReservation(f *fixture) {
	o := f.office()
	f.write(o, "entry", "first", 0)
	try := func(value string, keep int, limited bool) bool {
		write := f.conditionalWrite(o.credentials[0], "entry", value)
		write.Keep, write.Limited = keep, limited
		return f.store(write)
	}
	require.False(f, try("small", 2, true), "nothing is reserved")
	require.True(f, try("small", 2, false), "the box has no limit")
	size := domain.VersionBytes(len("small"))
	room := domain.Room{SlotBytes: size, Slots: 2, Until: 3}
	require.NoError(f, f.reserve(o, "entry", ports.Reservation{Room: room, Added: 2 * size, Limit: 5000}))
	require.True(f, try("small", 2, true), "each write deletes a version")
	require.False(f, try("larger", 2, true))
	require.False(f, try("small", 3, true), "the new version would need a slot that is not reserved")
	require.False(f, try("small", 0, true))
	room.Until = 5
	require.NoError(f, f.reserve(o, "entry", ports.Reservation{Room: room, Limit: 5000}))
	require.False(f, try("small", 0, true), "the reservation ends before version 6")
	room.Until = 7
	require.NoError(f, f.reserve(o, "entry", ports.Reservation{Room: room, Limit: 5000}))
	require.True(f, try("small", 0, true))
	require.False(f, try("small", 0, true))
}
