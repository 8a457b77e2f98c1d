package storage

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func (f *fixture) lookUp(credential domain.Credential, box domain.BoxName, key domain.EntryKey,
	version uint64) ports.EntrySnapshot {
	f.Helper()
	snapshot, err := f.LookUp(f.Context(), credential, box, key, version)
	require.NoError(f, err)
	return snapshot
}

func readerSnapshot(f *fixture) {
	o := f.office()
	f.write(o, "entry", "first", 0)
	f.write(o, "entry", "second", 0)
	for _, credential := range o.credentials {
		access, err := f.Read().Callers.Access(f.Context(), credential, "box")
		require.NoError(f, err)
		for version, value := range map[uint64]string{0: "second", 1: "first", 2: "second", 3: ""} {
			snapshot := f.lookUp(credential, "box", "entry", version)
			require.NoError(f, f.CheckCurrent(snapshot))
			require.Equal(f, access, snapshot.Access, "the same as from Callers")
			require.True(f, snapshot.Entry.Exists())
			require.Equal(f, value, string(snapshot.Version.Sealed.Value))
			require.Equal(f, value == "", snapshot.Version.Place.Version == 0)
		}
		forWrite, err := f.LookUpForWrite(f.Context(), credential, "box", "entry")
		require.NoError(f, err)
		require.Equal(f, domain.Entry{
			Box:       o.box.ID,
			Key:       "entry",
			Version:   2,
			UpdatedAt: f.now,
		}, forWrite.Entry)
		require.Equal(f, uint64(2), forWrite.Version.Place.Version)
		require.Equal(f, "envelope of second", string(forWrite.Version.Sealed.Envelope))
		require.Nil(f, forWrite.Version.Sealed.Value)
		for _, missing := range []ports.EntrySnapshot{
			f.lookUp(credential, "box", "unknown", 0), f.lookUp(credential, "unknown", "entry", 0),
		} {
			require.Zero(f, missing.Entry)
			require.Zero(f, missing.Version)
		}
	}
	require.NoError(f, f.Read().Entries.MarkDeleted(f.Context(),
		domain.Entry{Box: o.box.ID, Key: "entry", UpdatedAt: f.now}))
	for version := range uint64(3) {
		snapshot := f.lookUp(o.credentials[0], "box", "entry", version)
		require.False(f, snapshot.Entry.Exists())
		require.Zero(f, snapshot.Version)
	}
}

// readerPermission verifies that LookUp returns a value only to a caller who may read it. Both a small and a large
// value are tested.
func readerPermission(f *fixture) {
	o := f.office()
	large := string(bytes.Repeat([]byte("x"), 300_000))
	f.write(o, "small", "value", 0)
	f.write(o, "large", large, 0)
	user := f.addUser("member")
	member := f.addMember(o.box, user, domain.ReadEntryKeys)
	credential := f.addAPIKey(user)
	values := func() []string {
		small, large := f.lookUp(credential, "box", "small", 0), f.lookUp(credential, "box", "large", 1)
		require.True(f, small.Entry.Exists() && large.Entry.Exists())
		return []string{string(small.Version.Sealed.Value), string(large.Version.Sealed.Value)}
	}
	require.Equal(f, []string{"", ""}, values())
	member.Permissions = domain.ReadEntry
	require.NoError(f, f.Read().BoxUsers.Save(f.Context(), member))
	require.Equal(f, []string{"value", large}, values())
	member.Active = false
	require.NoError(f, f.Read().BoxUsers.Save(f.Context(), member))
	require.Equal(f, []string{"", ""}, values())
}

// readerConcurrent runs lookups one after the other, and then runs these lookups concurrently. Both runs must have
// equal results.
func readerConcurrent(f *fixture) {
	o := f.office()
	outsider := f.addAPIKey(f.addUser("outsider"))
	large := string(bytes.Repeat([]byte("x"), 100_000))
	for i := range 4 {
		key := domain.EntryKey(fmt.Sprintf("entry-%d", i))
		f.write(o, key, fmt.Sprintf("value %d", i), 0)
		f.write(o, key, map[bool]string{true: large, false: "newest"}[i == 3], 0)
	}
	var group sync.WaitGroup
	for _, credential := range append(o.credentials, outsider) {
		for i := range 40 {
			key, version := domain.EntryKey(fmt.Sprintf("entry-%d", i%5)), uint64(i%4)
			want := f.lookUp(credential, "box", key, version)
			group.Go(func() {
				got, err := f.LookUp(f.Context(), credential, "box", key, version)
				if err != nil {
					f.Errorf("look up %s: %v", key, err)
					return
				}
				require.Equal(f, want, got)
			})
		}
	}
	group.Wait()
	ctx, cancel := context.WithTimeout(f.Context(), -time.Second)
	defer cancel()
	_, err := f.LookUp(ctx, o.credentials[0], "box", "entry-0", 0)
	require.ErrorIs(f, err, domain.Unavailable)
}
