package sealing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

var (
	_ ports.EntrySealer   = (*EntrySealer)(nil)
	_ ports.AccountSealer = (*AccountSealer)(nil)
)

// store implements ports.ServerKeys in memory.
type store struct {
	mu    sync.Mutex
	lines []ports.ServerKey
	lists atomic.Int32
	fail  error
	// onAdd, if set, runs before Add stores the keys. Tests use it to simulate another replica.
	onAdd func()
}

func (s *store) List(ctx context.Context) ([]ports.ServerKey, error) {
	s.lists.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return slices.Clone(s.lines), s.fail
}

func (s *store) Add(_ context.Context, keys []ports.ServerKey) error {
	if s.onAdd != nil {
		s.onAdd()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		if !slices.ContainsFunc(s.lines, func(line ports.ServerKey) bool {
			return line.Purpose == key.Purpose && line.Generation == key.Generation
		}) {
			s.lines = append(s.lines, key)
		}
	}
	return s.fail
}

func (s *store) Rewrap(_ context.Context, keys []ports.ServerKey) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(keys) != len(s.lines) {
		return domain.Conflict
	}
	s.lines = slices.Clone(keys)
	return s.fail
}

func (s *store) Retire(_ context.Context, id domain.ServerKeyID, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.lines {
		if s.lines[i].ID == id {
			s.lines[i].RetiredAt = at
			return nil
		}
	}
	return errors.New("no such key")
}

func (s *store) DeleteRetired(_ context.Context, id domain.ServerKeyID, _ int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = slices.DeleteFunc(s.lines, func(line ports.ServerKey) bool { return line.ID == id })
	return nil
}

func (s *store) snapshot() []ports.ServerKey {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// rekey adds a key of the next generation and retires the previous one, as another replica can do.
func (s *store) rekey(t testing.TB, k *Keyring, purpose domain.KeyPurpose, generation int) domain.ServerKeyID {
	t.Helper()
	before := domain.ServerKeyID{}
	for _, line := range s.snapshot() {
		if line.Purpose == purpose && line.Generation == generation-1 {
			before = line.ID
		}
	}
	line, err := k.NewKey(purpose, generation)
	require.NoError(t, err)
	require.NoError(t, s.Add(t.Context(), []ports.ServerKey{line}))
	require.NoError(t, s.Retire(t.Context(), before, start))
	return line.ID
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// clock is a ports.Clock that changes only when a test calls advance.
type clock struct{ nanos atomic.Int64 }

func (c *clock) Now() time.Time          { return start.Add(time.Duration(c.nanos.Load())) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// ids returns consecutive ids, so tests and vectors are deterministic.
type ids struct{ last atomic.Uint64 }

func (i *ids) New() (id [16]byte) {
	binary.BigEndian.PutUint64(id[8:], i.last.Add(1))
	id[0] = 0x01
	return id
}

// stream is a deterministic substitute for random bytes: SHA-256 in counter mode over a seed.
type stream struct {
	mu      sync.Mutex
	seed    string
	counter uint64
	left    []byte
}

func (s *stream) Read(to []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.left) < len(to) {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(s.seed), s.counter))
		s.counter++
		s.left = append(s.left, sum[:]...)
	}
	n := copy(to, s.left)
	s.left = s.left[n:]
	return n, nil
}

func secretOf(t testing.TB, fill byte) Secret {
	t.Helper()
	return Secret{domain.NewSecret(string(bytes.Repeat([]byte{fill}, 32)))}
}

// argon counts key derivations.
type argon struct{ times atomic.Int32 }

func (a *argon) derive(
	ctx context.Context, use ports.Workload, secret, salt []byte, p ports.Argon2Params,
) ([]byte, error) {
	a.times.Add(1)
	if use != ports.EntryWork {
		return nil, errors.New("the wrong workload")
	}
	if ctx.Err() != nil {
		return nil, domain.ErrBusy.Because(ctx.Err())
	}
	return argon2.IDKey(secret, salt, p.Time, p.MemoryKiB, p.Threads, 32), nil
}

// rig holds a key ring and a sealer with cheap Argon2id parameters.
type rig struct {
	store  *store
	clock  *clock
	keys   *Keyring
	argon  *argon
	sealer *EntrySealer
}

var cheap = ports.Argon2Params{MemoryKiB: 8, Time: 1, Threads: 1}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{store: &store{}, clock: &clock{}, argon: &argon{}}
	var err error
	r.keys, err = OpenKeyring(t.Context(), KeyringConfig{
		Store:  r.store,
		Secret: secretOf(t, 1),
		IDs:    &ids{},
		Clock:  r.clock,
	})
	require.NoError(t, err)
	r.sealer = r.sealerWith(t, cheap)
	return r
}

func (r *rig) sealerWith(t testing.TB, params ports.Argon2Params) *EntrySealer {
	t.Helper()
	sealer, err := NewEntrySealer(EntryConfig{Keys: r.keys, Derive: r.argon.derive, Params: params})
	require.NoError(t, err)
	return sealer
}

func (r *rig) prepare(t testing.TB, key domain.EncryptionKey, sealed ...ports.Sealed) *entryCipher {
	t.Helper()
	c, err := r.sealer.Prepare(t.Context(), key, boxSalt, sealed...)
	require.NoError(t, err)
	return c.(*entryCipher)
}

var (
	boxSalt = domain.BoxSalt{0xa0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	place   = ports.Place{
		Box:      domain.BoxID{1, 2, 3},
		Key:      "app/database",
		Version:  7,
		SealedAs: 7,
	}
	value = []byte(`{"user":"app","password":"hunter2"}`)
)

func generatedKey(t testing.TB, fill byte) domain.EncryptionKey {
	t.Helper()
	key, err := domain.ParseEncryptionKey(domain.FormatGeneratedKey([32]byte(bytes.Repeat([]byte{fill}, 32))))
	require.NoError(t, err)
	return key
}

func passphrase(t testing.TB, text string) domain.EncryptionKey {
	t.Helper()
	key, err := domain.ParseEncryptionKey(text)
	require.NoError(t, err)
	return key
}

// bothKinds returns a generated key and a passphrase.
func bothKinds(t testing.TB) map[string]domain.EncryptionKey {
	t.Helper()
	return map[string]domain.EncryptionKey{
		"generated": generatedKey(t, 9), "passphrase": passphrase(t, "correct horse battery staple"),
	}
}
