package storage

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// newKeyring returns a keyring with the given sequence number and key. Its other contents are invalid, but storage does
// not check them.
func (f *fixture) newKeyring(box domain.Box, sequence uint64, key byte,
	recipients ...domain.Identity) domain.BoxKeyring {
	keyring := domain.BoxKeyring{
		KeyringHead: domain.KeyringHead{Box: box.ID, Sequence: sequence, Key: domain.KeyID{key}},
		Chain:       []byte("chain"),
		Signature:   []byte("signature"),
		CreatedAt:   f.now,
	}
	if len(recipients) > 0 {
		keyring.Author = recipients[0].Fingerprint
	}
	for _, each := range recipients {
		keyring.Recipients = append(keyring.Recipients, domain.KeyRecipient{
			User:        each.User,
			Fingerprint: each.Fingerprint,
			Wrapped:     bytes.Repeat([]byte{key}, 1168),
		})
	}
	slices.SortFunc(keyring.Recipients, func(a, b domain.KeyRecipient) int {
		return bytes.Compare(a.Fingerprint[:], b.Fingerprint[:])
	})
	return keyring
}

// addKeyring stores a keyring as the box's current keyring, like a use case.
func (f *fixture) addKeyring(keyring domain.BoxKeyring) error {
	f.Helper()
	return f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		if err := repos.Boxes.Lock(ctx, keyring.Box); err != nil {
			return err
		}
		return repos.BoxKeyrings.Add(ctx, keyring)
	})
}

func (f *fixture) mustAddKeyring(keyring domain.BoxKeyring) {
	f.Helper()
	require.NoError(f, f.addKeyring(keyring))
}

func keyringLifecycle(f *fixture) {
	o, keyrings := f.office(), f.Read().BoxKeyrings
	owner, other := f.addIdentity(o.owner, 1), f.addIdentity(f.addUser("other"), 2)
	_, err := keyrings.Newest(f.Context(), o.box.ID)
	f.requireCode(err, domain.NotFound, "keyring_not_found")
	first := f.newKeyring(o.box, 1, 1, owner)
	second := f.newKeyring(o.box, 3, 1, owner, other)
	f.mustAddKeyring(first)
	f.mustAddKeyring(second)
	for sequence, want := range map[uint64]domain.BoxKeyring{1: first, 3: second} {
		got, err := keyrings.Get(f.Context(), o.box.ID, sequence)
		require.NoError(f, err)
		want.Recipients = nil
		require.Equal(f, want, got)
	}
	_, err = keyrings.Get(f.Context(), o.box.ID, 2)
	f.requireCode(err, domain.NotFound, "keyring_not_found")
	newest, err := keyrings.Newest(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Equal(f, uint64(3), newest.Sequence)

	recipients, err := keyrings.Recipients(f.Context(), o.box.ID, 3, true)
	require.NoError(f, err)
	for i := range second.Recipients {
		second.Recipients[i].Name = map[domain.UserID]domain.UserName{owner.User: "owner", other.User: "other"}[second.
			Recipients[i].User]
	}
	require.Equal(f, second.Recipients, recipients)
	recipients, err = keyrings.Recipients(f.Context(), o.box.ID, 3, false)
	require.NoError(f, err)
	require.Nil(f, recipients[0].Wrapped)
	for user, want := range map[domain.UserID][]byte{owner.User: second.Recipients[0].Wrapped, f.id(): nil} {
		wrapped, err := keyrings.Wrapped(f.Context(), o.box.ID, 3, user)
		require.NoError(f, err)
		require.Equal(f, want, wrapped)
	}
	f.addIdentity(o.owner, 7)
	wrapped, err := keyrings.Wrapped(f.Context(), o.box.ID, 3, owner.User)
	require.NoError(f, err)
	require.Nil(f, wrapped, "the key is wrapped for an earlier identity")
	past, err := keyrings.Past(f.Context(), o.box.ID, 3)
	require.NoError(f, err)
	require.Equal(f, []ports.PastKeyring{{
		Sequence:  1,
		Key:       domain.KeyID{1},
		CreatedAt: f.now,
		Author:    "owner",
	}}, past)
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Boxes.Delete(ctx, o.box.ID) })
	_, err = keyrings.Newest(f.Context(), o.box.ID)
	f.requireCode(err, domain.NotFound, "keyring_not_found")
}

// keyringMembers verifies that Members omits a member if the membership or the user is inactive.
func keyringMembers(f *fixture) {
	o := f.office()
	owner := f.addIdentity(o.owner, 1)
	anna, off, inactive := f.addUser("anna"), f.addUser("off"), f.addUser("inactive")
	f.addMember(o.box, anna, 0)
	f.addMember(o.box, off, 0)
	member := f.addMember(o.box, inactive, 0)
	f.addUser("stranger")
	f.saveUser("off", func(u *domain.User) { u.Active = false })
	member.Active = false
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.BoxUsers.Save(ctx, member) })
	f.addIdentity(off, 3)
	members, err := f.Read().BoxKeyrings.Members(f.Context(), o.box.ID)
	require.NoError(f, err)
	require.Equal(f, []domain.KeyringMember{
		{User: anna.ID, Name: "anna"},
		{User: o.owner.ID, Name: "owner", Fingerprint: owner.Fingerprint},
	}, members)
}

// keyringKeyIDUsed verifies that a box refuses a keyring with a key that the box has used before. Another box may use
// the same key.
func keyringKeyIDUsed(f *fixture) {
	o := f.office()
	owner := f.addIdentity(o.owner, 1)
	f.mustAddKeyring(f.newKeyring(o.box, 1, 1, owner))
	f.mustAddKeyring(f.newKeyring(o.box, 2, 2, owner))
	f.mustAddKeyring(f.newKeyring(o.box, 3, 2, owner))
	f.requireCode(f.addKeyring(f.newKeyring(o.box, 4, 1, owner)), domain.Conflict, "key_id_used")
	access, err := f.Read().Callers.Access(f.Context(), o.credentials[0], "box")
	require.NoError(f, err)
	require.Equal(f, domain.KeyID{2}, access.Box.Key, "the refused change was rolled back")
	f.mustAddKeyring(f.newKeyring(f.addBox(o.owner, "another"), 1, 1, owner))
}

// keyringChangesTheKey verifies that a conditional write is not stored if the box's key changed after the write's
// snapshot was read. It covers each kind of key change and each kind of entry. A change of the recipients must not
// affect writes.
func keyringChangesTheKey(f *fixture) {
	o := f.office()
	owner := f.addIdentity(o.owner, 1)
	f.write(o, "entry", "first", 0)
	f.write(o, "other", "first", 0)
	sequence := uint64(0)
	change := func(key byte) {
		sequence++
		f.mustAddKeyring(f.newKeyring(o.box, sequence, key, owner))
	}
	decide := func(key domain.EntryKey) ports.ConditionalWrite {
		write := f.conditionalWrite(o.credentials[0], key, "next")
		write.Version.BoxKey = write.Snapshot.Access.Box.Key
		return write
	}
	require.True(f, f.store(decide("entry")), "a box without a keyring")
	stale := decide("entry")
	change(1)
	require.False(f, f.store(stale), "the first keyring came between")
	require.True(f, f.store(decide("entry")))
	require.Equal(f, domain.KeyID{1}, f.lookUp(o.credentials[0], "box", "entry", 0).Version.BoxKey)
	stale = decide("entry")
	change(1)
	require.True(f, f.store(stale), "a keyring with the same key does not affect the write")
	stale, untouched := decide("entry"), decide("other")
	change(2)
	require.False(f, f.store(stale), "the key was changed")
	require.False(f, f.store(untouched), "the key was changed")
	require.True(f, f.store(decide("other")))
	f.writeUnder(o, "created", domain.KeyID{2})
	require.True(f, f.store(decide("created")))
	stale = decide("created")
	change(3)
	require.False(f, f.store(stale), "the entry was created under the previous key")
	versions, err := f.Read().Entries.Versions(f.Context(), o.box.ID, "entry")
	require.NoError(f, err)
	var keys []domain.KeyID
	for _, version := range versions {
		keys = append(keys, version.BoxKey)
	}
	require.Equal(f, []domain.KeyID{{1}, {1}}, keys)
}

// writeUnder is like write, but for a new entry in a box with a keyring. The version is written under boxKey.
func (f *fixture) writeUnder(o office, key domain.EntryKey, boxKey domain.KeyID) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Entries.CountIn(ctx, o.box.ID, key, 0, f.now))
		locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, key, f.now)
		require.NoError(f, err)
		require.Equal(f, boxKey, locked.Access.Box.Key)
		entry := locked.Entry.Next(f.now)
		version := f.newVersion(entry, o.owner.ID, "value")
		version.BoxKey = boxKey
		return repos.Entries.AddVersion(ctx, entry, version, 0, f.event("write"))
	})
}

// keyringWaitsForWriters verifies that a new keyring waits for every write that has already locked its entry. A write
// that locks its entry after the new keyring was stored must get the key of the new keyring.
func keyringWaitsForWriters(f *fixture) {
	o := f.office()
	owner := f.addIdentity(o.owner, 1)
	f.write(o, "entry", "first", 0)
	f.mustAddKeyring(f.newKeyring(o.box, 1, 1, owner))
	changed := make(chan error, 1)
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, "entry", f.now)
		require.NoError(f, err)
		require.Equal(f, domain.KeyID{1}, locked.Access.Box.Key)
		go func() { changed <- f.addKeyring(f.newKeyring(o.box, 2, 2, owner)) }()
		select {
		case err := <-changed:
			f.Errorf("the change did not wait: %v", err)
			changed <- err
		case <-time.After(200 * time.Millisecond):
		}
		entry := locked.Entry.Next(f.now)
		version := f.newVersion(entry, o.owner.ID, "value")
		version.BoxKey = domain.KeyID{1}
		return repos.Entries.AddVersion(ctx, entry, version, 0, f.event("write"))
	})
	require.NoError(f, <-changed)
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, "entry", f.now)
		require.NoError(f, err)
		require.Equal(f, domain.KeyID{2}, locked.Access.Box.Key)
		return nil
	})
}

// janitorOldKeyrings verifies that the janitor never deletes the last ten keyrings of a box, and that it deletes each
// earlier keyring once the keyring is old enough.
func janitorOldKeyrings(f *fixture) {
	o := f.office()
	owner := f.addIdentity(o.owner, 1)
	for i := range uint64(14) {
		keyring := f.newKeyring(o.box, i+1, 1, owner)
		keyring.CreatedAt = f.now.Add(time.Duration(i) * time.Hour)
		f.mustAddKeyring(keyring)
	}
	remaining := func() int {
		past, err := f.Read().BoxKeyrings.Past(f.Context(), o.box.ID, 100)
		require.NoError(f, err)
		return len(past)
	}
	clean := func(before time.Time) (deleted int) {
		deleted, err := f.DeleteOldKeyrings(f.Context(), before, 3)
		require.NoError(f, err)
		return deleted
	}
	require.Equal(f, 14, remaining())
	require.Zero(f, clean(f.now))
	require.Equal(f, 2, clean(f.now.Add(2*time.Hour)), "two are old enough")
	require.Equal(f, 2, clean(f.now.Add(100*time.Hour)))
	require.Zero(f, clean(f.now.Add(100*time.Hour)))
	require.Equal(f, domain.KeptKeyrings, remaining())
	recipients, err := f.Read().BoxKeyrings.Recipients(f.Context(), o.box.ID, 1, false)
	require.NoError(f, err)
	require.Empty(f, recipients)
}
