package sealing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/contracts"
)

// TestContracts runs the conformance suites of the ports that this package implements, with cheap Argon2id
// parameters.
func TestContracts(t *testing.T) {
	t.Parallel()
	t.Run("Keyring", func(t *testing.T) { contracts.Keyring(t, openKeyringFixture) })
	t.Run("AccountSealer", func(t *testing.T) { contracts.AccountSealer(t, openAccountSealerFixture) })
	t.Run("EntrySealer", func(t *testing.T) { contracts.EntrySealer(t, openEntrySealerFixture) })
	t.Run("EntryCipher", func(t *testing.T) { contracts.EntryCipher(t, openEntrySealerFixture) })
	t.Run("TokenDigests", func(t *testing.T) { contracts.TokenDigests(t, openTokenDigestsFixture) })
	t.Run("Digests", func(t *testing.T) { contracts.Digests(t, openDigestsFixture) })
}

// replica returns a second key ring that uses the same store as r. It stands for another server.
func (r *rig) replica(t testing.TB) *Keyring {
	t.Helper()
	keys, err := OpenKeyring(t.Context(), config(t, r.store, secretOf(t, 1)))
	require.NoError(t, err)
	return keys
}

// rekeyer returns a function that replaces the current key of a purpose.
func (r *rig) rekeyer(purpose domain.KeyPurpose) func(t *testing.T) domain.ServerKeyID {
	generation := 1
	return func(t *testing.T) domain.ServerKeyID {
		t.Helper()
		generation++
		id := r.store.rekey(t, r.keys, purpose, generation)
		require.NoError(t, r.keys.Reload(t.Context()))
		return id
	}
}

func openKeyringFixture(t *testing.T) contracts.KeyringFixture {
	t.Helper()
	r := newRig(t)
	return contracts.KeyringFixture{
		Keyring:   r.keys,
		Store:     r.store,
		FailStore: func(err error) { r.store.fail = err },
		OpenRotated: func(t *testing.T) ports.Keyring {
			t.Helper()
			rotated, err := OpenKeyring(t.Context(), config(t, r.store, secretOf(t, 2), secretOf(t, 1)))
			require.NoError(t, err)
			return rotated
		},
	}
}

func openAccountSealerFixture(t *testing.T) contracts.AccountSealerFixture {
	t.Helper()
	r := newRig(t)
	return contracts.AccountSealerFixture{
		Sealer: NewAccountSealer(r.keys, nil),
		Rekey:  r.rekeyer(domain.KeyForAccounts),
	}
}

func openEntrySealerFixture(t *testing.T) contracts.EntrySealerFixture {
	t.Helper()
	r := newRig(t)
	replica, err := NewEntrySealer(EntryConfig{Keys: r.replica(t), Derive: r.argon.derive, Params: cheap})
	require.NoError(t, err)
	return contracts.EntrySealerFixture{
		Sealer:  r.sealer,
		Former:  r.sealerWith(t, ports.Argon2Params{MemoryKiB: 16, Time: 1, Threads: 1}),
		Rekey:   r.rekeyer(domain.KeyForEntries),
		Replica: replica,
	}
}

func openDigestsFixture(t *testing.T) contracts.DigestsFixture {
	t.Helper()
	r := newRig(t)
	return contracts.DigestsFixture{
		Digests:   NewDigests(r.keys),
		Replica:   NewDigests(r.replica(t)),
		Elsewhere: NewDigests(newRig(t).keys),
	}
}

func openTokenDigestsFixture(t *testing.T) contracts.TokenDigestsFixture {
	t.Helper()
	r := newRig(t)
	return contracts.TokenDigestsFixture{
		Digests:   NewTokenDigests(r.keys),
		Replica:   NewTokenDigests(r.replica(t)),
		Elsewhere: NewTokenDigests(newRig(t).keys),
		Rekey:     func(t *testing.T, purpose domain.KeyPurpose) { r.rekeyer(purpose)(t) },
	}
}
