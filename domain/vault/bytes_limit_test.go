//go:build e2e

package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// TestBytesLimit writes and deletes entries, and verifies that the stored versions of the box never exceed
// MaxBytesPerBox.
func TestBytesLimit(t *testing.T) {
	t.Parallel()
	const limit = 30_000
	for _, keep := range []int{1, 3, 10} {
		b := newBox(t, domain.NoPermissions, func(c *vault.Config) { c.MaxBytesPerBox, c.KeepVersions = limit, keep })
		refused := 0
		write := func(key string, size int) error {
			_, err := b.Vault.WriteEntry(t.Context(), b.owner, vault.WriteEntry{
				Box:           "box",
				Key:           key,
				Value:         []byte(`"` + strings.Repeat("x", size) + `"`),
				EncryptionKey: usecases.Key(t, usecases.GeneratedKey),
			})
			if err != nil {
				refused++
				require.Equal(t, "limit_reached", domain.CodeOf(err))
			}
			return err
		}
		for n := range 30 {
			key := fmt.Sprint("key", n%7)
			_ = write(key, []int{10, 2000, 500}[n%3])
			if n%9 == 8 {
				err := b.Vault.DeleteEntry(t.Context(), b.owner, vault.DeleteEntry{Box: "box", Key: "key0"})
				if err != nil {
					require.ErrorIs(t, err, domain.ErrEntryNotFound)
				}
				_ = write("key0", 10)
			}
			stored := pgtest.Number(t, b.URL, `SELECT COALESCE(sum(octet_length(value) + 256), 0) FROM entry_versions`)
			reserved := pgtest.Number(t, b.URL, `SELECT reserved_bytes FROM boxes`)
			require.LessOrEqual(t, stored, reserved)
			require.LessOrEqual(t, reserved, limit)
			require.Equal(t, reserved, pgtest.Number(t, b.URL, `SELECT sum(slot_bytes * slots) FROM entries`))
		}
		require.Equal(t, keep > 1, refused > 0, "keep %d", keep)
	}
}
