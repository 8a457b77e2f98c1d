package vault_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

func TestWrongPassphrasesAreLimited(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.ReadEntry)
	_, err := b.write(b.owner, `1`, "right")
	require.NoError(t, err)
	for range usecases.FreePassphrases {
		_, err := b.read(b.member, "wrong")
		require.ErrorIs(t, err, domain.ErrKeyMismatch)
	}
	derived := b.Derivations.Load()
	for range 2 {
		_, err = b.read(b.member, "right")
		require.ErrorIs(t, err, domain.RateLimited)
	}
	require.Equal(t, derived, b.Derivations.Load(), "no key is derived during a lockout")
	lockouts := 0
	for _, line := range b.Log() {
		if line == "member entry.read throttled - -" {
			lockouts++
		}
	}
	require.Equal(t, 1, lockouts, "a lockout has one event")

	b.expect(`1`, "right")
	_, err = b.read(b.member, usecases.GeneratedKey)
	require.ErrorIs(t, err, domain.ErrKeyMismatch, "generated keys cannot be guessed and are not limited")
	b.Clock.Advance(time.Minute)
	got, err := b.read(b.member, "right")
	require.NoError(t, err, "the lockout ends")
	require.Equal(t, `1`, got)
}

// TestReadIsAuditedFirst verifies that the audit event of a read is committed before the read returns.
func TestReadIsAuditedFirst(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.ReadEntry)
	_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	_, err = b.read(b.member, usecases.GeneratedKey)
	require.NoError(t, err)
	require.Equal(t, "member entry.read success entry -", b.LastLogged())
}

// failedOver is a reader that reports a failover of the database after each lookup.
type failedOver struct{ ports.EntryReader }

func (failedOver) CheckCurrent(ports.EntrySnapshot) error { return domain.ErrBusy }

// TestReadAcrossAFailover verifies that a read returns no value if the database may have failed over between the lookup
// and the commit of the audit event. The event remains in the audit log.
func TestReadAcrossAFailover(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.ReadEntry, func(c *vault.Config) { c.Reader = failedOver{c.Reader} })
	_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	got, err := b.read(b.member, usecases.GeneratedKey)
	require.ErrorIs(t, err, domain.ErrBusy)
	require.Empty(t, got)
	require.Equal(t, "member entry.read success entry -", b.LastLogged())
}

// TestOpenBoxDerivesOnce verifies that several reads and a write through OpenBox need only one key derivation.
func TestOpenBoxDerivesOnce(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.AllPermissions)
	key := usecases.Key(t, "a passphrase")
	record := domain.NewDropletRecord(b.IDs.New(), b.Clock.Now(), b.Clock.Now().Add(time.Minute))
	require.NoError(t, b.Store.Read().Droplets.Add(t.Context(), record))
	_, err := b.write(b.owner, `1`, "a passphrase")
	require.NoError(t, err)
	b.Derivations.Store(0)

	box, err := b.Vault.OpenBox(t.Context(), b.member, ports.OpenBox{
		Box:           "box",
		Permissions:   domain.CreateEntry | domain.ReadEntry,
		Action:        domain.ActionAddDroplet,
		EncryptionKey: key,
	})
	require.NoError(t, err)
	defer box.Close()
	for range 3 {
		value, err := box.Read(t.Context(), "entry")
		require.NoError(t, err)
		require.Equal(t, `1`, string(value))
	}
	require.NoError(t, box.Write(t.Context(), "entry", []byte(`2`), record.ID))
	require.Equal(t, int32(1), b.Derivations.Load())
	b.expect(`2`, "a passphrase")

	records, err := b.Store.Read().Droplets.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, domain.EntryKey("entry"), records[0].Key)
	require.Equal(t, uint64(2), records[0].Version)
}

// TestWriteAndRecordAreAtomic verifies that a write for a droplet stores no version if the droplet has no record.
func TestWriteAndRecordAreAtomic(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.AllPermissions)
	_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	box, err := b.Vault.OpenBox(t.Context(), b.member, ports.OpenBox{
		Box:           "box",
		Permissions:   domain.CreateEntry,
		Action:        domain.ActionAddDroplet,
		EncryptionKey: usecases.Key(t, usecases.GeneratedKey),
	})
	require.NoError(t, err)
	defer box.Close()
	require.ErrorIs(t, box.Write(t.Context(), "entry", []byte(`2`), b.IDs.New()), domain.ErrDropletAbandoned)
	b.expect(`1`, usecases.GeneratedKey)
}

func TestOpenBoxRefusals(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.ReadEntry)
	in := ports.OpenBox{Box: "box", Permissions: domain.CreateEntry, Action: domain.ActionAddDroplet}
	_, err := b.Vault.OpenBox(t.Context(), b.member, in)
	require.ErrorIs(t, err, domain.ErrPermissionMissing)
	require.Equal(t, "member droplet.add denied - -", b.LastLogged())
	_, err = b.Vault.OpenBox(t.Context(), b.owner, in)
	require.Equal(t, "encryption_key_required", domain.CodeOf(err))
}
