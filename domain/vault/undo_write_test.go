package vault_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// TestUndoWriteRestoresTheReplacedVersion verifies that UndoWrite restores the replaced value, and that the value keeps
// its encryption key and its author.
func TestUndoWriteRestoresTheReplacedVersion(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.ReadEntryKeys|domain.ReadEntry|domain.CreateEntry)
	_, err := b.write(b.member, `"old"`, "old passphrase")
	require.NoError(t, err)
	for _, version := range []uint64{2, 4, 6} { // a restored version can itself be replaced and restored
		_, err = b.write(b.owner, `"new"`, usecases.GeneratedKey)
		require.NoError(t, err)
		require.NoError(t, b.undo(version, version-1))
		b.expect(`"old"`, "old passphrase")
		require.NoError(t, b.undo(version, version-1), "the second time it does nothing")
		versions, err := b.Vault.ListVersions(t.Context(), b.owner, "box", "entry")
		require.NoError(t, err)
		require.Equal(t, version+1, versions[0].Version)
		require.Equal(t, domain.UserName("member"), versions[0].Author)
	}
	restored := slices.DeleteFunc(b.Log(), func(line string) bool {
		return line != "(service) entry.restore success entry -"
	})
	require.Len(t, restored, 3)
}

// TestUndoWriteWithoutAReplacedVersion verifies that UndoWrite deletes the written version if the replaced version
// cannot be restored.
func TestUndoWriteWithoutAReplacedVersion(t *testing.T) {
	t.Parallel()
	tampered := &ports.TamperedError{What: "entry envelope"}
	for name, c := range map[string]struct {
		replaced uint64
		rewrap   error
		fails    error
	}{
		"there was none":       {replaced: 0},
		"it is not stored":     {replaced: 7},
		"it was tampered with": {replaced: 1, rewrap: tampered},
		"no connection":        {replaced: 1, rewrap: errNoConnection, fails: errNoConnection},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sealer := &faultySealer{}
			b := newBox(t, domain.NoPermissions, withFaults(sealer))
			for range 2 {
				_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
				require.NoError(t, err)
			}
			sealer.rewrap = c.rewrap
			require.ErrorIs(t, b.undo(2, c.replaced), c.fails)
			if c.fails != nil {
				b.expect(`1`, usecases.GeneratedKey)
				require.NoError(t, b.undo(2, c.replaced), "the next try")
				return
			}
			_, err := b.read(b.owner, usecases.GeneratedKey)
			require.ErrorIs(t, err, domain.ErrEntryNotFound)
			require.Contains(t, b.Log(), "(service) entry.delete success entry -")
			if c.rewrap != nil {
				require.Contains(t, b.Log(), "(service) entry.restore tampered entry -")
			}
		})
	}
}

var errNoConnection = errors.New("no connection")

// undo calls UndoWrite for the entry. The argument written is the version that the write stored, and replaced is the
// version before the write.
func (b *boxed) undo(written, replaced uint64) error {
	b.t.Helper()
	access, err := b.Store.Read().Callers.Access(b.t.Context(), b.owner.Credential, "box")
	require.NoError(b.t, err)
	return b.Vault.UndoWrite(b.t.Context(), b.owner, domain.VersionRef{
		Box:     access.Box.ID,
		BoxName: "box",
		Key:     "entry",
		Version: written,
	}, replaced)
}
