package e2e

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	lockbox "github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
)

// machine is a user of the Go client. In the directory dir, the client stores the identities and keyrings that it has
// seen.
type machine struct {
	t      *testing.T
	name   string
	dir    string
	memory *keys.Memory
	// holder is nil if the machine has no identity.
	holder *keys.Holder
	// session is a client with the token of a sign-in. The client in the field client also has the identity, and uses
	// it to find the keys of boxes.
	session, client *lockbox.Client
}

// The machine method signs in an existing user. It publishes a new identity for this user, and stores the identity on
// the server, locked under a passphrase.
func (s *server) machine(t *testing.T, name string, passphrase lockbox.Secret) *machine {
	t.Helper()
	m := s.emptyMachine(t, name)
	m.use(keys.GenerateIdentity())
	require.NoError(t, keys.Publish(t.Context(), m.session, m.memory, m.holder.Identity(), passphrase))
	return m
}

// emptyMachine signs in an existing user on a machine without an identity.
func (s *server) emptyMachine(t *testing.T, name string) *machine {
	t.Helper()
	c, err := lockbox.New(lockbox.Config{URL: s.url, RetryWait: time.Millisecond, HTTPClient: httpClient})
	require.NoError(t, err)
	signedIn, err := c.SignIn(t.Context(),
		lockbox.Credentials{Username: name, Password: lockbox.NewSecret(name + "-password")})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "known")
	return &machine{
		t:       t,
		name:    name,
		dir:     dir,
		memory:  keys.OpenMemory(dir),
		session: c.WithToken(signedIn.Token),
	}
}

// The use method replaces the identity of the machine. The files in dir remain.
func (m *machine) use(id *keys.Identity) {
	m.holder = keys.NewHolder(keys.Config{Identity: id, Memory: m.memory})
	m.client = m.session.WithIdentity(m.holder)
}

// grantOf returns a grant to another user, with the true fingerprint of that user.
func (m *machine) grantOf(other *machine) keys.Grant {
	return keys.Grant{User: other.name, Fingerprint: other.holder.Identity().Fingerprint().Display()}
}

// admit makes another user a member of a box, gives this user all permissions, and grants the box key to this user.
func (m *machine) admit(box string, other *machine) {
	m.t.Helper()
	require.NoError(m.t, m.client.AddBoxUser(m.t.Context(), box, other.name, ""))
	require.NoError(m.t, m.client.SetPermissions(m.t.Context(), box, other.name, lockbox.Permissions()))
	_, err := m.holder.Grant(m.t.Context(), m.client, box, m.grantOf(other))
	require.NoError(m.t, err)
}

// write writes an entry under the current key of the box.
func (m *machine) write(box, key string, value any) {
	m.t.Helper()
	_, err := m.client.WriteEntry(m.t.Context(), box, key, value, nil)
	require.NoError(m.t, err)
}

// key returns the current key of a box.
func (m *machine) key(box string) lockbox.EncryptionKey {
	m.t.Helper()
	key, err := m.holder.CurrentKey(m.t.Context(), m.client, box)
	require.NoError(m.t, err)
	return key
}
