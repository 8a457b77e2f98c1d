//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	lockbox "github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// thief has the server's secret and a copy of the database. It reads the copy with the code of the server.
type thief struct {
	t        *testing.T
	database string
	entries  *sealing.EntrySealer
	accounts *sealing.AccountSealer
}

// steal copies the database of a stopped server.
func steal(t *testing.T, database string) thief {
	t.Helper()
	stolen := pgtest.Copy(t, database)
	store, err := postgres.Open(t.Context(), postgres.Config{URL: stolen, Clock: system.Clock{}})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	secret, err := sealing.ParseSecret(testSecret)
	require.NoError(t, err)
	ring, err := sealing.OpenKeyring(t.Context(), sealing.KeyringConfig{
		Store:  store.Read().ServerKeys,
		Secret: secret,
		IDs:    system.IDs{},
		Clock:  system.Clock{},
	})
	require.NoError(t, err)
	derivations := kdf.New(kdf.Config{})
	t.Cleanup(derivations.Close)
	entries, err := sealing.NewEntrySealer(sealing.EntryConfig{Keys: ring, Derive: derivations.Derive})
	require.NoError(t, err)
	return thief{
		t:        t,
		database: stolen,
		entries:  entries,
		accounts: sealing.NewAccountSealer(ring, nil),
	}
}

// opened tries to decrypt every stored version with an encryption key and returns the decrypted values. The keys of the
// map consist of the key of the entry and the version number. If a version cannot be decrypted, the error must be that
// the encryption key is wrong.
func (th thief) opened(key lockbox.EncryptionKey) map[string]string {
	th.t.Helper()
	parsed := usecases.Key(th.t, key.Reveal())
	values := make(map[string]string)
	withConn(th.t, th.database, func(ctx context.Context, conn *pgx.Conn) {
		rows, err := conn.Query(ctx,
			`SELECT box_id, key, version, sealed_as, key_id, envelope, value FROM entry_versions`)
		require.NoError(th.t, err)
		var at ports.Place
		var sealed ports.SealedValue
		_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&at.Box), &at.Key, &at.Version, &at.SealedAs,
			(*[16]byte)(&sealed.ServerKey), &sealed.Envelope, &sealed.Value}, func() error {
			cipher, err := th.entries.PrepareOpen(ctx, parsed, ports.Sealed{Place: at, Envelope: sealed.Envelope})
			require.NoError(th.t, err, "the server's secret opens the outer layer")
			defer cipher.Clear()
			value, err := cipher.Open(at, sealed)
			if err != nil {
				require.ErrorIs(th.t, err, domain.ErrKeyMismatch)
				return nil
			}
			values[fmt.Sprint(at.Key, " ", at.Version)] = string(value)
			return nil
		})
		require.NoError(th.t, err)
	})
	return values
}

// keyrings returns all stored keyrings, oldest first, with their recipients.
func (th thief) keyrings() (all []keys.Keyring) {
	th.t.Helper()
	withConn(th.t, th.database, func(ctx context.Context, conn *pgx.Conn) {
		rows, err := conn.Query(ctx, `SELECT k.head, k.chain, k.signature, i.public,
				array_agg(r.user_id ORDER BY r.fingerprint), array_agg(r.fingerprint ORDER BY r.fingerprint),
				array_agg(r.wrapped ORDER BY r.fingerprint)
			FROM box_keyrings k JOIN identities i ON i.fingerprint = k.author
				JOIN box_keyring_recipients r USING (box_id, sequence)
			GROUP BY k.box_id, k.sequence, i.public ORDER BY k.sequence`)
		require.NoError(th.t, err)
		var head, chain, signature, public []byte
		var users [][16]byte
		var fingerprints, wrapped [][]byte
		_, err = pgx.ForEachRow(rows, []any{&head, &chain, &signature, &public, &users, &fingerprints, &wrapped},
			func() error {
				one := keys.Keyring{Chain: chain, Signature: signature}
				var ok bool
				one.Head, ok = keys.ParseHead(head)
				require.True(th.t, ok)
				one.Author, err = keys.ParsePublicKey(domain.RestorePublicIdentity(public).String())
				require.NoError(th.t, err)
				for i := range users {
					one.Recipients = append(one.Recipients, keys.Recipient{
						User:        keys.ID(users[i]),
						Fingerprint: keys.Fingerprint(fingerprints[i]),
						Wrapped:     wrapped[i],
					})
				}
				all = append(all, one)
				return nil
			})
		require.NoError(th.t, err)
	})
	return all
}

// unwrapped tries to open every stored keyring with the identity. It tries the wrapped key of every recipient. It
// returns the ids of the box keys that it finds. These include the earlier keys in the chain of a keyring.
func (th thief) unwrapped(id *keys.Identity) map[string]bool {
	th.t.Helper()
	found := make(map[string]bool)
	for _, one := range th.keyrings() {
		for _, recipient := range one.Recipients {
			opened, err := one.Open(id, recipient.Wrapped)
			if err != nil {
				require.ErrorIs(th.t, err, lockbox.ErrKeyringTampered)
				continue
			}
			for _, key := range append(opened.Earlier, opened.Key) {
				found[key.ID().String()] = true
			}
		}
	}
	return found
}

// The chains method tries to decrypt the chains of all stored keyrings with a box key. The chain of a keyring contains
// the earlier box keys. The method returns the ids of the earlier keys that it finds, and the number of chains that it
// could decrypt.
func (th thief) chains(key lockbox.EncryptionKey) (earlier map[string]bool, chains int) {
	th.t.Helper()
	earlier = make(map[string]bool)
	for _, one := range th.keyrings() {
		raw := [32]byte(usecases.Key(th.t, key.Reveal()).Bytes())
		found, ok := usecases.OpenChain(th.t, raw, one.Head.Bytes(), one.Chain)
		if !ok {
			continue
		}
		chains++
		for _, each := range found {
			earlier[usecases.Key(th.t, domain.FormatGeneratedKey(each)).ID().String()] = true
		}
	}
	return earlier, chains
}

// The locked method returns the locked identity of a user. It first removes the encryption that the server has added.
func (th thief) locked(name string) (locked []byte, owner keys.Owner) {
	th.t.Helper()
	var fingerprint, sealed []byte
	withConn(th.t, th.database, func(ctx context.Context, conn *pgx.Conn) {
		require.NoError(th.t, conn.QueryRow(ctx, `SELECT u.id, l.fingerprint, l.sealed, s.installation_id
			FROM locked_identities l JOIN users u ON u.id = l.user_id CROSS JOIN system s WHERE u.name = $1`, name).
			Scan((*[16]byte)(&owner.User), &fingerprint, &sealed, (*[16]byte)(&owner.Installation)))
	})
	owner.Fingerprint = keys.Fingerprint(fingerprint)
	locked, err := th.accounts.OpenAccount(th.t.Context(), ports.LockedIdentityPurpose, domain.UserID(owner.User),
		sealed)
	require.NoError(th.t, err)
	return locked, owner
}

// idOf returns the id of a box key.
func idOf(t *testing.T, key lockbox.EncryptionKey) string {
	t.Helper()
	return usecases.Key(t, key.Reveal()).ID().String()
}

// TestStolenDatabaseAfterARemoval removes a member from a box. The former member then gets a copy of the database and
// the server's secret, and still has an old box key and an identity. Only the versions from before the removal may be
// readable.
func TestStolenDatabaseAfterARemoval(t *testing.T) {
	t.Parallel()
	s := start(t)
	root := s.initialize()
	root.user("anna")
	root.user("boris")
	words := lockbox.NewSecret("anna-keeps-six-words-to-herself")
	anna := s.machine(t, "anna", words)
	boris := s.machine(t, "boris", lockbox.NewSecret("boris-also-has-six-good-words"))
	_, err := anna.holder.CreateBox(t.Context(), anna.client, "prod")
	require.NoError(t, err)
	anna.write("prod", "kept", "of anna")
	anna.admit("prod", boris)
	boris.write("prod", "shared", "of boris")
	boris.write("prod", "restored", "first")
	old := boris.key("prod")

	removed, err := anna.holder.Remove(t.Context(), anna.client, "prod", "boris")
	require.NoError(t, err)
	require.True(t, removed.KeyChanged)
	_, err = boris.client.ReadEntry(t.Context(), "prod", "kept", nil)
	require.ErrorIs(t, err, lockbox.ErrNotFound, "refused at once")
	_, err = boris.session.WriteEntry(t.Context(), "prod", "kept", 1, &lockbox.WriteOptions{EncryptionKey: old})
	require.ErrorIs(t, err, lockbox.ErrNotFound)
	_, err = anna.session.WriteEntry(t.Context(), "prod", "kept", 1, &lockbox.WriteOptions{EncryptionKey: old})
	require.ErrorIs(t, err, lockbox.ErrKeyNotCurrent, "also for a member")

	anna.write("prod", "shared", "after the removal")
	anna.write("prod", "new", "only for anna")
	second := anna.key("prod")
	_, err = anna.client.RestoreEntry(t.Context(), "prod", "restored", 1, nil)
	require.NoError(t, err)
	_, err = anna.holder.Rekey(t.Context(), anna.client, "prod")
	require.NoError(t, err)
	anna.write("prod", "new", "under the third key")
	third := anna.key("prod")
	s.stop()

	th := steal(t, s.db)
	require.Equal(t, map[string]string{
		"kept 1":     `"of anna"`,
		"shared 1":   `"of boris"`,
		"restored 1": `"first"`,
	}, th.opened(old))
	require.Equal(t, map[string]string{
		"shared 2":   `"after the removal"`,
		"restored 2": `"first"`,
		"new 1":      `"only for anna"`,
	}, th.opened(second))
	require.Equal(t, map[string]string{"new 2": `"under the third key"`}, th.opened(third))

	require.Equal(t, map[string]bool{idOf(t, old): true}, th.unwrapped(boris.holder.Identity()))
	require.Equal(t, map[string]bool{idOf(t, old): true, idOf(t, second): true, idOf(t, third): true},
		th.unwrapped(anna.holder.Identity()))
	earlier, chains := th.chains(old)
	require.Empty(t, earlier)
	require.Equal(t, 2, chains, "the keyrings that boris had access to")
	earlier, chains = th.chains(third)
	require.Equal(t, map[string]bool{idOf(t, old): true, idOf(t, second): true}, earlier)
	require.Equal(t, 1, chains)

	// The identity of another member can be unlocked only with that member's passphrase.
	locked, owner := th.locked("anna")
	_, err = keys.Unlock(locked, lockbox.NewSecret("boris-also-has-six-good-words"), owner)
	require.ErrorIs(t, err, lockbox.ErrUnlockFailed)
	id, err := keys.Unlock(locked, words, owner)
	require.NoError(t, err)
	require.Equal(t, anna.holder.Identity().Reveal(), id.Reveal())
}
