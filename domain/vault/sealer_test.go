package vault_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// faultySealer implements ports.EntrySealer. If the test has set an error for a method, the method returns this error.
// Otherwise the method calls the embedded EntrySealer.
type faultySealer struct {
	ports.EntrySealer
	// prepare, rewrap and seal are the errors that the next calls of Prepare, Rewrap and Seal return. Each error is
	// returned only once.
	prepare, rewrap, seal error
}

func (s *faultySealer) Prepare(ctx context.Context, key domain.EncryptionKey, salt domain.BoxSalt,
	sealed ...ports.Sealed) (ports.EntryCipher, error) {
	if err := once(&s.prepare); err != nil {
		return nil, err
	}
	cipher, err := s.EntrySealer.Prepare(ctx, key, salt, sealed...)
	return &faultyCipher{cipher, s}, err
}

func (s *faultySealer) PrepareOpen(ctx context.Context, key domain.EncryptionKey,
	sealed ...ports.Sealed) (ports.EntryCipher, error) {
	if err := once(&s.prepare); err != nil {
		return nil, err
	}
	return s.EntrySealer.PrepareOpen(ctx, key, sealed...)
}

func (s *faultySealer) Rewrap(ctx context.Context, at ports.Place, envelope []byte) (domain.ServerKeyID, []byte,
	error) {
	if err := once(&s.rewrap); err != nil {
		return domain.ServerKeyID{}, nil, err
	}
	return s.EntrySealer.Rewrap(ctx, at, envelope)
}

// faultyCipher implements ports.EntryCipher.
type faultyCipher struct {
	ports.EntryCipher
	sealer *faultySealer
}

func (c *faultyCipher) Seal(place ports.Place, value []byte) (ports.SealedValue, error) {
	if err := once(&c.sealer.seal); err != nil {
		return ports.SealedValue{}, err
	}
	return c.EntryCipher.Seal(place, value)
}

// The function "once" returns *err and sets *err to nil.
func once(err *error) error {
	fault := *err
	*err = nil
	return fault
}

func withFaults(s *faultySealer) func(*vault.Config) {
	return func(c *vault.Config) { s.EntrySealer, c.Sealer = c.Sealer, s }
}

// TestStaleServerKeyFallsBack verifies that a write succeeds although the server key that it first uses has been
// retired. The write is repeated under the lock on the entry, after the server has loaded the keys again.
func TestStaleServerKeyFallsBack(t *testing.T) {
	t.Parallel()
	sealer := &faultySealer{}
	b := newBox(t, domain.NoPermissions, withFaults(sealer))
	for range 2 { // a new entry and an existing one
		sealer.seal = ports.ErrStaleServerKey
		_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
		require.NoError(t, err)
		require.NoError(t, sealer.seal, "it was returned")
	}
	b.expect(`1`, usecases.GeneratedKey)
}

func TestTamperingIsAudited(t *testing.T) {
	t.Parallel()
	sealer := &faultySealer{}
	b := newBox(t, domain.NoPermissions, withFaults(sealer))
	_, err := b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	tampered := &ports.TamperedError{What: "entry envelope"}

	sealer.prepare = tampered
	_, err = b.read(b.owner, usecases.GeneratedKey)
	require.ErrorIs(t, err, tampered)
	require.Equal(t, "owner entry.read tampered entry -", b.LastLogged())

	sealer.prepare = tampered
	_, err = b.write(b.owner, `2`, usecases.GeneratedKey)
	require.ErrorIs(t, err, tampered)
	require.Equal(t, "owner entry.write tampered entry -", b.LastLogged())

	sealer.rewrap = tampered
	_, err = b.restore(b.owner, 1)
	require.ErrorIs(t, err, tampered)
	require.Equal(t, "owner entry.restore tampered entry -", b.LastLogged())
}
