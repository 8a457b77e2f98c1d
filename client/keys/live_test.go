package keys_test

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/tests/live"
)

// These tests call the methods of Holder against the real server and a real database.

// member is a user on one machine, with its own identity and memory directory.
type member struct {
	name    string
	session *client.Client // a session that began with the password
	client  *client.Client // with an API key
	holder  *keys.Holder
	id      *keys.Identity
}

var words = client.NewSecret("abandon-ability-able-about-above-absent")

// install starts a server and returns its owner, who has an identity.
func install(t *testing.T) *member {
	t.Helper()
	server := live.Start(t)
	c, err := client.New(client.Config{URL: server.URL, RetryWait: time.Millisecond})
	require.NoError(t, err)
	password := client.NewSecret("root-password")
	token, err := c.Initialize(t.Context(), client.FirstUser{Username: "root", Password: password})
	require.NoError(t, err)
	return signUp(t, c.WithToken(token), "root", password)
}

// signUp signs a user in with the password and publishes a new identity. It stores no locked copy of the identity,
// because the key derivation is slow.
func signUp(t *testing.T, c *client.Client, name string, password client.Secret) *member {
	t.Helper()
	session, err := c.SignIn(t.Context(), client.Credentials{Username: name, Password: password})
	require.NoError(t, err)
	m := &member{
		name:    name,
		session: c.WithToken(session.Token),
		client:  c,
		id:      keys.GenerateIdentity(),
	}
	m.use(t, m.id, filepath.Join(t.TempDir(), "known"))
	require.NoError(t, keys.Publish(t.Context(), m.session, m.holder.Memory(), m.id, client.Secret{}))
	return m
}

// use gives the member an identity and a memory directory, as on a new machine.
func (m *member) use(t *testing.T, id *keys.Identity, dir string) {
	t.Helper()
	m.id, m.holder = id, keys.NewHolder(keys.Config{Identity: id, Memory: keys.OpenMemory(dir)})
	m.client = m.client.WithIdentity(m.holder)
}

// join creates a user with an identity. If the argument box is not "", the user becomes a member of that box.
func (m *member) join(t *testing.T, box, name, role string) *member {
	t.Helper()
	password := client.NewSecret(name + "-password")
	token, err := m.client.CreateUser(t.Context(), client.NewUser{Username: name, Password: password})
	require.NoError(t, err)
	if box != "" {
		require.NoError(t, m.client.AddBoxUser(t.Context(), box, name, role))
		require.NoError(t, m.client.SetPermissions(t.Context(), box, name, client.Permissions()))
	}
	return signUp(t, m.client.WithIdentity(nil).WithToken(token), name, password)
}

func (m *member) grant() keys.Grant {
	return keys.Grant{User: m.name, Fingerprint: m.id.Fingerprint().Display()}
}

func (m *member) write(t *testing.T, key string, value any) {
	t.Helper()
	_, err := m.client.WriteEntry(t.Context(), "prod", key, value, nil)
	require.NoError(t, err)
}

func (m *member) read(t *testing.T, key string) (*client.Entry, error) {
	t.Helper()
	return m.client.ReadEntry(t.Context(), "prod", key, nil)
}

// TestMembersShareABox checks the main path: two members share a box without handling its key. Then one member is
// removed, and the box has a new key.
func TestMembersShareABox(t *testing.T) {
	t.Parallel()
	root := install(t)
	_, err := root.holder.CreateBox(t.Context(), root.client, "prod")
	require.NoError(t, err)
	for i := range 12 {
		root.write(t, "app/"+strconv.Itoa(i), i)
	}
	anna := root.join(t, "prod", "anna", "")
	_, err = anna.read(t, "app/1")
	require.ErrorIs(t, err, client.ErrNotRecipient)
	members, err := root.holder.Members(t.Context(), root.client, "prod")
	require.NoError(t, err)
	require.Len(t, members.Recipients, 1)
	require.Len(t, members.Waiting, 1)
	require.Equal(t, "anna", members.Waiting[0].User)

	granted, err := root.holder.Grant(t.Context(), root.client, "prod", anna.grant())
	require.NoError(t, err)
	require.NoError(t, anna.holder.Memory().Trust(placeOf(t, anna), "prod", granted.Anchor))
	entry, err := anna.read(t, "app/1")
	require.NoError(t, err)
	require.JSONEq(t, "1", string(entry.Value))
	require.Equal(t, granted.Anchor.Key.String(), entry.KeyID)
	anna.write(t, "app/anna", "hello")
	_, err = root.read(t, "app/anna")
	require.NoError(t, err)

	_, err = root.holder.Rekey(t.Context(), root.client, "prod")
	require.NoError(t, err)
	anna.write(t, "app/1", "under the new key")
	result, err := root.holder.Rewrite(t.Context(), root.client, "prod", nil)
	require.NoError(t, err)
	require.Equal(t, keys.Rewritten{Entries: 12, Current: 1}, result)
	old, err := anna.client.ReadEntry(t.Context(), "prod", "app/1", &client.ReadOptions{Version: 1})
	require.NoError(t, err)
	require.Equal(t, granted.Anchor.Key.String(), old.KeyID)
	restored, err := anna.client.RestoreEntry(t.Context(), "prod", "app/1", 1, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, restored.Version)

	// Anna is removed. The server must refuse a write under her former key.
	key, err := anna.holder.CurrentKey(t.Context(), anna.client, "prod")
	require.NoError(t, err)
	removed, err := root.holder.Remove(t.Context(), root.client, "prod", "anna")
	require.NoError(t, err)
	require.True(t, removed.KeyChanged)
	_, err = anna.read(t, "app/1")
	require.ErrorIs(t, err, client.ErrNotFound)
	_, err = root.client.WriteEntry(t.Context(), "prod", "app/1", 1, &client.WriteOptions{EncryptionKey: key})
	require.ErrorIs(t, err, client.ErrKeyNotCurrent)
	root.write(t, "app/1", "after")
	entry, err = root.read(t, "app/1")
	require.NoError(t, err)
	require.NotEqual(t, old.KeyID, entry.KeyID)
	described, err := root.client.DescribeBox(t.Context(), "prod")
	require.NoError(t, err)
	require.Equal(t, entry.KeyID, described.Keyring.KeyID)
	require.False(t, described.Keyring.KeyChangeDue)
}

// placeOf returns the id of the installation that the member's client remembers for its server.
func placeOf(t *testing.T, m *member) keys.ID {
	t.Helper()
	in, ok, err := m.holder.Memory().Installation(m.client.URL())
	require.NoError(t, err)
	require.True(t, ok)
	return in
}

// TestSecondDevice checks that the passphrase is enough to unlock the identity on a second machine. The server returns
// the locked identity only in a session, and deletes it when an admin sets the password.
func TestSecondDevice(t *testing.T) {
	t.Parallel()
	root := install(t)
	anna := root.join(t, "", "anna", "")
	memory := keys.OpenMemory(filepath.Join(t.TempDir(), "known"))
	require.NoError(t, keys.Publish(t.Context(), anna.session, memory, anna.id, words))
	fetched, err := keys.FetchLocked(t.Context(), anna.session, memory)
	require.NoError(t, err)
	_, err = fetched.Unlock(client.NewSecret("wrong"))
	require.ErrorIs(t, err, client.ErrUnlockFailed)
	id, err := fetched.Unlock(words)
	require.NoError(t, err)
	require.Equal(t, anna.id.Reveal(), id.Reveal())

	_, err = keys.FetchLocked(t.Context(), anna.client, memory)
	require.ErrorIs(t, err, client.ErrRecentSignInRequired, "an API key does not suffice")
	require.ErrorIs(t, keys.Publish(t.Context(), anna.client, memory, keys.GenerateIdentity(), words),
		client.ErrRecentSignInRequired)
	found, err := keys.FindOwn(t.Context(), anna.session, memory)
	require.NoError(t, err)
	require.True(t, found.Locked)

	require.NoError(t, keys.Relock(t.Context(), anna.session, memory, id, client.NewSecret("other words")))
	fetched, err = keys.FetchLocked(t.Context(), anna.session, memory)
	require.NoError(t, err)
	_, err = fetched.Unlock(client.NewSecret("other words"))
	require.NoError(t, err)

	password := client.NewSecret("password of the admin")
	require.NoError(t, root.client.UpdateUser(t.Context(), "anna", client.UserChange{Password: password}))
	again, err := anna.client.SignIn(t.Context(), client.Credentials{Username: "anna", Password: password})
	require.NoError(t, err)
	_, err = keys.FetchLocked(t.Context(), anna.client.WithToken(again.Token), memory)
	require.ErrorIs(t, err, client.ErrNotFound)
	require.NoError(t, keys.Relock(t.Context(), anna.client.WithToken(again.Token), memory, id, words))
	require.NoError(t, anna.client.DeleteLockedIdentity(t.Context(), "anna"))
}

// TestServerRefusals checks the error codes with which the real server refuses requests.
func TestServerRefusals(t *testing.T) {
	t.Parallel()
	root := install(t)
	_, err := root.holder.CreateBox(t.Context(), root.client, "prod")
	require.NoError(t, err)
	anna := root.join(t, "prod", "anna", client.RoleBoxAdmin)
	_, err = anna.session.WriteIdentity(t.Context(), "anna", client.NewIdentity{Public: "lbpk1_"})
	require.ErrorIs(t, err, client.ErrIdentityInvalid)
	_, err = anna.session.WriteIdentity(t.Context(), "anna", client.NewIdentity{Public: root.id.Public().String()})
	require.ErrorIs(t, err, client.ErrIdentityTaken)
	_, err = anna.client.DescribeIdentity(t.Context(), "nemo")
	require.ErrorIs(t, err, client.ErrNotFound)

	// A boxadmin without the key cannot replace the keyring.
	stored, err := root.client.ReadKeyring(t.Context(), "prod", &client.KeyringOptions{Recipients: true})
	require.NoError(t, err)
	change := client.KeyringChange{
		Head:       stored.Head,
		Chain:      stored.Chain,
		Signature:  stored.Signature,
		Recipients: stored.Recipients,
		IfMatch:    stored.ETag,
	}
	_, err = anna.client.WriteKeyring(t.Context(), "prod", change)
	require.ErrorIs(t, err, client.ErrNotRecipient)
	_, err = root.client.WriteKeyring(t.Context(), "prod", change)
	require.ErrorIs(t, err, client.ErrKeyringSequence, "the stored keyring again")
	change.IfMatch = ""
	_, err = root.client.WriteKeyring(t.Context(), "prod", change)
	require.ErrorIs(t, err, client.ErrPrecondition)

	// A boxadmin without the key removes a member. After that, a key change is due, and the next grant changes the key.
	bob, carol := root.join(t, "prod", "bob", ""), root.join(t, "prod", "carol", "")
	_, err = root.holder.Grant(t.Context(), root.client, "prod", bob.grant())
	require.NoError(t, err)
	removed, err := anna.holder.Remove(t.Context(), anna.client, "prod", "bob")
	require.NoError(t, err)
	require.False(t, removed.KeyChanged)
	members, err := root.holder.Members(t.Context(), root.client, "prod")
	require.NoError(t, err)
	require.True(t, members.KeyChangeDue)
	require.Len(t, members.Due, 1)
	granted, err := root.holder.Grant(t.Context(), root.client, "prod", carol.grant())
	require.NoError(t, err)
	require.True(t, granted.KeyChanged)
	members, err = root.holder.Members(t.Context(), root.client, "prod")
	require.NoError(t, err)
	require.False(t, members.KeyChangeDue)
	require.Len(t, members.Recipients, 2)
	require.NotEmpty(t, members.Past)
}

// TestIdentitiesChange checks that a user with a new identity regains access, first with the former identity and then
// with the identity of a recovery user. It also checks a reset of the keyring.
func TestIdentitiesChange(t *testing.T) {
	t.Parallel()
	root := install(t)
	_, err := root.holder.CreateBox(t.Context(), root.client, "prod")
	require.NoError(t, err)
	root.write(t, "app", 1)
	recovery := root.join(t, "prod", "recovery", "")
	_, err = root.holder.Grant(t.Context(), root.client, "prod", recovery.grant())
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "known")
	for _, with := range []*keys.Identity{root.id, recovery.id} {
		root.use(t, keys.GenerateIdentity(), dir)
		require.NoError(t, keys.Publish(t.Context(), root.session, root.holder.Memory(), root.id, client.Secret{}))
		_, err = root.read(t, "app")
		require.ErrorIs(t, err, client.ErrNotRecipient)
		_, err = root.holder.Regain(t.Context(), root.client, "prod", with)
		require.NoError(t, err)
		_, err = root.read(t, "app")
		require.NoError(t, err)
		root.write(t, "other", 1)
	}
	_, err = recovery.read(t, "app")
	require.NoError(t, err)

	_, err = root.holder.Reset(t.Context(), root.client, "prod", recovery.grant())
	require.NoError(t, err)
	root.write(t, "new", 1)
	_, err = root.read(t, "app")
	require.ErrorIs(t, err, client.ErrKeyNotForThisBox)
	_, err = recovery.read(t, "new")
	require.ErrorIs(t, err, client.ErrKeyringNotContinued)
	require.NoError(t, recovery.holder.Forget(t.Context(), recovery.client, "prod"))
	_, err = recovery.read(t, "new")
	require.NoError(t, err)
}

// TestAdoptOnTheServer makes a keyring for a box whose members share a key that they passed on by hand.
func TestAdoptOnTheServer(t *testing.T) {
	t.Parallel()
	root := install(t)
	key := client.GenerateEncryptionKey()
	require.NoError(t, root.client.CreateBox(t.Context(), "prod"))
	_, err := root.client.WithEncryptionKey(key).WriteEntry(t.Context(), "prod", "app", 1, nil)
	require.NoError(t, err)
	require.NoError(t, root.holder.Adopt(t.Context(), root.client, "prod", key))
	entry, err := root.read(t, "app")
	require.NoError(t, err)
	require.Empty(t, entry.KeyID)
	_, err = root.client.WriteEntry(t.Context(), "prod", "app", 2, &client.WriteOptions{EncryptionKey: key})
	require.ErrorIs(t, err, client.ErrKeyNotCurrent)
	result, err := root.holder.Rewrite(t.Context(), root.client, "prod", nil)
	require.NoError(t, err)
	require.Equal(t, keys.Rewritten{Entries: 1}, result)
	_, err = root.client.RestoreEntry(t.Context(), "prod", "app", 1, nil)
	require.NoError(t, err)
}

// TestRacingChanges runs grants, key changes and writes at the same time. All grants and changes take effect, and no
// write is lost.
func TestRacingChanges(t *testing.T) {
	t.Parallel()
	root := install(t)
	_, err := root.holder.CreateBox(t.Context(), root.client, "prod")
	require.NoError(t, err)
	anna := root.join(t, "prod", "anna", client.RoleBoxAdmin)
	_, err = root.holder.Grant(t.Context(), root.client, "prod", anna.grant())
	require.NoError(t, err)
	bob := root.join(t, "prod", "bob", "")
	var acts sync.WaitGroup
	acts.Go(func() {
		_, err := root.holder.Grant(context.WithoutCancel(t.Context()), root.client, "prod", bob.grant())
		assert.NoError(t, err)
	})
	acts.Go(func() {
		_, err := anna.holder.Rekey(context.WithoutCancel(t.Context()), anna.client, "prod")
		assert.NoError(t, err)
	})
	const writers, writes = 4, 5
	for i := range writers {
		acts.Go(func() {
			for range writes {
				_, err := root.client.WriteEntry(t.Context(), "prod", "e"+strconv.Itoa(i), i, nil)
				assert.NoError(t, err)
			}
		})
	}
	acts.Wait()
	members, err := root.holder.Members(t.Context(), root.client, "prod")
	require.NoError(t, err)
	require.Len(t, members.Recipients, 3)
	require.EqualValues(t, 4, members.Sequence)
	for i := range writers {
		versions, err := root.client.ListVersions(t.Context(), "prod", "e"+strconv.Itoa(i))
		require.NoError(t, err)
		require.Len(t, versions, writes)
		_, err = bob.read(t, "e"+strconv.Itoa(i))
		require.NoError(t, err)
	}
}
