//go:build e2e

package e2e

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	lockbox "github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// TestCanariesOfTwoMembers lets two members do everything that the Go client offers for identities and keyrings. It
// then searches every output and the database for the members' seeds, passphrases, box keys and locked identities. It
// also searches the directories in which the clients store the keyrings that they have seen.
func TestCanariesOfTwoMembers(t *testing.T) {
	t.Parallel()
	f := &flock{t: t, server: start(t, "LOG_LEVEL=debug"), secrets: map[string]string{"value": canaryValue}}
	root := f.server.initialize()
	root.user("anna")
	root.user("boris")
	anna, boris := f.join("anna", "cnry-anna-unlocks-with-this"), f.join("boris", "cnry-boris-unlocks-with-this")
	f.shareKeys(anna, boris)
	f.changeIdentities(anna, boris)
	f.misplace(root, anna, boris)

	metrics := string(f.server.as("").do("GET", "/metrics", nil).expect(200).Body)
	f.search("the log", f.server.log.String())
	f.search("the answers of errors", f.bodies.String())
	f.search("the metrics", metrics)
	f.search("the tables", tables(t, f.server.db))
	f.search("the dump", dump(t, f.server.db))
	for _, each := range []*machine{anna, boris} {
		f.search("the memory of "+each.name, filesIn(t, each.dir))
	}
	for _, action := range []string{"identity.write", "identity.lock", "identity.unlock", "keyring.write"} {
		require.Contains(t, tables(t, f.server.db), action, "the flow is complete")
	}
}

// join publishes an identity for an existing user, and adds the seed, the passphrase and the locked identity to
// f.secrets.
func (f *flock) join(name, passphrase string) *machine {
	f.t.Helper()
	m := f.server.machine(f.t, name, lockbox.NewSecret(passphrase))
	f.secrets["passphrase of "+name] = passphrase
	f.keepIdentity(m)
	return m
}

// keepIdentity adds the seed and the locked identity of a user to f.secrets.
func (f *flock) keepIdentity(m *machine) {
	f.t.Helper()
	name := fmt.Sprint(m.name, " ", len(f.secrets))
	seed := m.holder.Identity().Reveal()
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(seed, "lbid1_")[:43])
	require.NoError(f.t, err)
	f.secrets["seed of "+name], f.secrets["bytes of the seed of "+name] = seed, string(raw)
	locked, err := m.session.ReadLockedIdentity(f.t.Context(), m.name)
	require.NoError(f.t, err)
	f.secrets["locked identity of "+name] = string(locked.Locked)
	f.secrets["end of the locked identity of "+name] = string(locked.Locked[len(locked.Locked)-48:])
}

// keepKey adds the current key of a box to f.secrets.
func (f *flock) keepKey(m *machine, box string) {
	f.t.Helper()
	name := fmt.Sprint(box, " ", len(f.secrets))
	key := m.key(box).Reveal()
	f.secrets["key of "+name] = key
	f.secrets["bytes of the key of "+name] = string(usecases.Key(f.t, key).Bytes())
}

// The fails method checks that the client returned an error, and keeps the text of the error.
func (f *flock) fails(err, want error) {
	f.t.Helper()
	require.ErrorIs(f.t, err, want)
	fmt.Fprintf(&f.bodies, "%v\n%+v\n", err, err)
	if problem, ok := errors.AsType[*lockbox.Error](err); ok {
		fmt.Fprintf(&f.bodies, "%#v\n", *problem)
	}
}

// shareKeys creates boxes, grants keys to members, removes members, and changes keys.
func (f *flock) shareKeys(anna, boris *machine) {
	f.t.Helper()
	ctx := f.t.Context()
	_, err := anna.holder.CreateBox(ctx, anna.client, "prod")
	require.NoError(f.t, err)
	anna.write("prod", "app", canaryValue)
	f.keepKey(anna, "prod")
	require.NoError(f.t, anna.client.AddBoxUser(ctx, "prod", "boris", "boxadmin"))
	require.NoError(f.t, anna.client.SetPermissions(ctx, "prod", "boris", lockbox.Permissions()))
	_, err = boris.client.ReadEntry(ctx, "prod", "app", nil)
	f.fails(err, lockbox.ErrNotRecipient)
	_, err = anna.holder.Grant(ctx, anna.client, "prod", anna.grantOf(boris))
	require.NoError(f.t, err)
	boris.write("prod", "app", canaryValue)
	_, err = boris.holder.Rekey(ctx, boris.client, "prod")
	require.NoError(f.t, err)
	f.keepKey(anna, "prod")
	_, err = anna.holder.Rewrite(ctx, anna.client, "prod", nil)
	require.NoError(f.t, err)
	_, err = anna.holder.Members(ctx, anna.client, "prod")
	require.NoError(f.t, err)
	old := boris.key("prod")
	_, err = anna.holder.Remove(ctx, anna.client, "prod", "boris")
	require.NoError(f.t, err)
	f.keepKey(anna, "prod")
	_, err = anna.client.WriteEntry(ctx, "prod", "app", canaryValue, &lockbox.WriteOptions{EncryptionKey: old})
	f.fails(err, lockbox.ErrKeyNotCurrent)
	_, err = anna.client.ReadEntry(ctx, "prod", "app", &lockbox.ReadOptions{EncryptionKey: anna.key("prod")})
	f.fails(err, lockbox.ErrEncryptionKeyMismatch)

	carried := lockbox.GenerateEncryptionKey()
	f.secrets["carried key"] = carried.Reveal()
	require.NoError(f.t, anna.client.CreateBox(ctx, "adopted"))
	_, err = anna.client.WriteEntry(ctx, "adopted", "app", canaryValue, &lockbox.WriteOptions{EncryptionKey: carried})
	require.NoError(f.t, err)
	require.NoError(f.t, anna.holder.Adopt(ctx, anna.client, "adopted", carried))
	f.keepKey(anna, "adopted")
	anna.admit("prod", boris)
}

// changeIdentities unlocks an identity on a second machine, changes the passphrase of the identity, replaces the
// identity, and resets a box.
func (f *flock) changeIdentities(anna, boris *machine) {
	f.t.Helper()
	ctx := f.t.Context()
	second := f.server.emptyMachine(f.t, "boris")
	fetched, err := keys.FetchLocked(ctx, second.session, second.memory)
	require.NoError(f.t, err)
	f.secrets["wrong passphrase"] = "cnry-wrong-passphrase-of-boris"
	_, err = fetched.Unlock(lockbox.NewSecret("cnry-wrong-passphrase-of-boris"))
	f.fails(err, lockbox.ErrUnlockFailed)
	id, err := fetched.Unlock(lockbox.NewSecret("cnry-boris-unlocks-with-this"))
	require.NoError(f.t, err)
	second.use(id)
	f.secrets["second passphrase"] = "cnry-second-passphrase-of-boris"
	require.NoError(f.t, keys.Relock(ctx, second.session, second.memory, id,
		lockbox.NewSecret("cnry-second-passphrase-of-boris")))
	f.keepIdentity(second)
	_, err = second.client.ReadEntry(ctx, "prod", "app", nil)
	require.NoError(f.t, err)

	former := boris.holder.Identity()
	boris.use(keys.GenerateIdentity())
	require.NoError(f.t, keys.Publish(ctx, boris.session, boris.memory, boris.holder.Identity(),
		lockbox.NewSecret("cnry-boris-unlocks-with-this")))
	f.keepIdentity(boris)
	require.NoError(f.t, anna.client.UpdateBoxUser(ctx, "prod", "boris", lockbox.BoxUserChange{Role: "boxadmin"}))
	_, err = boris.holder.Regain(ctx, boris.client, "prod", former)
	require.NoError(f.t, err)
	f.keepKey(boris, "prod")
	_, err = anna.holder.Reset(ctx, anna.client, "prod", anna.grantOf(boris))
	require.NoError(f.t, err)
	f.keepKey(anna, "prod")
	_, err = boris.client.ReadEntry(ctx, "prod", "app", nil)
	f.fails(err, lockbox.ErrKeyringNotContinued)
	require.NoError(f.t, anna.session.DeleteLockedIdentity(ctx, "anna"))
}

// misplace sends seeds and keys in fields, paths and headers that expect other values.
func (f *flock) misplace(root client, anna, boris *machine) {
	f.t.Helper()
	seed, key := boris.holder.Identity().Reveal(), anna.key("prod").Reveal()
	by := f.server.signIn("anna", "anna-password")
	for _, secret := range []string{seed, key, strings.ToUpper(seed)} {
		f.send(f.server.as(secret), "GET", "/whoami", nil).expect(401)
		f.send(by, "GET", "/identities/"+secret, nil).expect(404)
		f.send(by, "GET", "/users/"+secret+"/identity", nil)
		f.send(by, "GET", "/boxes/"+secret+"/keyring", nil)
		f.send(by, "GET", "/boxes/prod/keyring?sequence="+secret, nil).expect(400)
		f.send(by, "GET", "/boxes/prod/keyring?recipients="+secret, nil).expect(400)
		f.send(by, "GET", "/boxes/prod/keyring", nil, "If-None-Match", secret)
		f.send(by, "PUT", "/users/anna/identity", map[string]string{"public": secret}).expect(400)
		// If the secret happens to be valid base64url, the server accepts it as a locked identity and encrypts it.
		f.send(by, "PUT", "/users/anna/identity/locked", map[string]string{"locked": secret})
		f.send(by, "PUT", "/users/anna/identity/locked", map[string]string{"locked": secret + "*"}).expect(400)
		f.send(by, "GET", "/boxes/prod/entries/app", nil, "X-Encryption-Key", secret)
		f.send(root, "POST", "/users", map[string]string{"username": "program", "password": "program-password",
			"identity": secret}).expect(400)
		for _, field := range []string{"head", "chain", "signature"} {
			f.send(by, "PUT", "/boxes/prod/keyring", map[string]string{field: secret}, "If-Match", "*").expect(400)
		}
		f.send(by, "PUT", "/boxes/prod/keyring", map[string]any{"remove": []string{secret}}, "If-Match", "*")
		recipient := map[string]string{"userId": secret, "fingerprint": secret, "wrapped": secret}
		f.send(by, "PUT", "/boxes/prod/keyring", map[string]any{"recipients": []any{recipient}}, "If-Match", "*")
	}
}

// filesIn returns the names and the contents of all files in a directory.
func filesIn(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&all, "%s\n%s\n", path, text)
		return err
	}))
	return all.String()
}
