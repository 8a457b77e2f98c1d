package vault_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

func (b *boxed) restore(by domain.Requester, version uint64) (vault.WrittenEntry, error) {
	b.t.Helper()
	return b.Vault.RestoreEntry(b.t.Context(), by, vault.RestoreEntry{Box: "box", Key: "entry", Version: version})
}

// TestRestoreKeepsTheKeyOfTheOldVersion verifies that a restored value opens only with the encryption key of the old
// version.
func TestRestoreKeepsTheKeyOfTheOldVersion(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	_, err := b.write(b.owner, `"old"`, "old passphrase")
	require.NoError(t, err)
	_, err = b.write(b.owner, `"new"`, usecases.GeneratedKey)
	require.NoError(t, err)
	written, err := b.restore(b.owner, 1)
	require.NoError(t, err)
	require.Equal(t, uint64(3), written.Version)
	b.expect(`"old"`, "old passphrase")
	_, err = b.read(b.owner, usecases.GeneratedKey)
	require.ErrorIs(t, err, domain.ErrKeyMismatch)

	written, err = b.restore(b.owner, 3)
	require.NoError(t, err, "a restored version can be restored")
	require.Equal(t, uint64(4), written.Version)
	b.expect(`"old"`, "old passphrase")
}

func TestRestoreUndeletes(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions, func(c *vault.Config) { c.MaxEntriesPerBox = 1 })
	_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	entry := vault.DeleteEntry{Box: "box", Key: "entry"}
	require.NoError(t, b.Vault.DeleteEntry(t.Context(), b.owner, entry))
	require.ErrorIs(t, b.Vault.DeleteEntry(t.Context(), b.owner, entry), domain.ErrEntryNotFound)
	_, err = b.restore(b.owner, 1)
	require.NoError(t, err)
	b.expect(`1`, usecases.GeneratedKey)
	_, err = b.Vault.WriteEntry(t.Context(), b.owner, vault.WriteEntry{
		Box:           "box",
		Key:           "another",
		Value:         []byte(`1`),
		EncryptionKey: usecases.Key(t, usecases.GeneratedKey),
	})
	require.Equal(t, "limit_reached", domain.CodeOf(err), "a restored entry counts again")
}

func TestRestoreRefusals(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.CreateEntry)
	_, err := b.restore(b.owner, 1)
	require.ErrorIs(t, err, domain.ErrEntryNotFound)
	_, err = b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	_, err = b.restore(b.owner, 2)
	require.ErrorIs(t, err, domain.ErrVersionNotFound)
	_, err = b.restore(b.member, 1)
	require.ErrorIs(t, err, domain.ErrPermissionMissing, "restore reads a value: it requires readEntry too")
	require.Contains(t, b.Log(), "member entry.restore denied entry -")
}
