package kdf

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ ports.DeriveFunc = (&Pool{}).Derive

var cheap = ports.Argon2Params{MemoryKiB: 8, Time: 1, Threads: 1}

// slow returns a pool whose derivations take one second of synctest's clock and return the secret itself.
func slow(config Config) *Pool {
	pool := New(config)
	pool.derive = func(secret, _ []byte, _ ports.Argon2Params) []byte {
		time.Sleep(time.Second)
		return secret
	}
	return pool
}

func TestDeriveIsArgon2id(t *testing.T) {
	t.Parallel()
	pool := New(Config{})
	defer pool.Close()
	params := ports.Argon2Params{MemoryKiB: 64, Time: 3, Threads: 2}
	got, err := pool.Derive(t.Context(), ports.EntryWork, []byte("password"), []byte("somesaltsomesalt"), params)
	require.NoError(t, err)
	// The expected key comes from another implementation: OpenSSL's argon2id with the same parameters.
	require.Equal(t, "d423f3e0fbb278a9249c2353539bf9daa94cb792edc10b2033905b786edc1fad", hex.EncodeToString(got))
	require.Equal(t, uint64(1), pool.Stats().Entries.Done)
}

func TestInvalidParameters(t *testing.T) {
	t.Parallel()
	pool := New(Config{})
	for _, params := range []ports.Argon2Params{
		{}, {MemoryKiB: 8, Time: 0, Threads: 1}, {MemoryKiB: 8, Time: 1, Threads: 0},
		{MemoryKiB: 7, Time: 1, Threads: 1}, {MemoryKiB: 15, Time: 1, Threads: 2},
	} {
		_, err := pool.Derive(t.Context(), ports.EntryWork, nil, nil, params)
		require.ErrorIs(t, err, ErrParams, "%+v", params)
	}
	_, err := pool.Derive(t.Context(), ports.Workload(2), nil, nil, cheap)
	require.ErrorIs(t, err, ErrParams)
}

func TestTooHeavyForThePoolIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	pool := New(Config{BudgetKiB: 2000})
	defer pool.Close()
	require.Equal(t, uint32(1000), pool.MaxMemoryKiB())
	pool.derive = func(secret, _ []byte, _ ports.Argon2Params) []byte { return secret }
	_, err := pool.Derive(t.Context(), ports.EntryWork, nil, nil,
		ports.Argon2Params{MemoryKiB: 1000, Time: 1, Threads: 1})
	require.NoError(t, err)
	_, err = pool.Derive(t.Context(), ports.EntryWork, nil, nil,
		ports.Argon2Params{MemoryKiB: 1001, Time: 1, Threads: 1})
	require.ErrorIs(t, err, ErrTooHeavy)
	require.Zero(t, domain.KindOf(err), "it is a configuration error, not a refusal")
	require.Equal(t, ^uint32(0), New(Config{BudgetKiB: 1 << 62}).MaxMemoryKiB())
}

// TestBounds measures the memory and cores that jobs of different sizes use.
func TestBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var memory, cores, mostMemory, mostCores atomic.Int64
		pool := New(Config{BudgetKiB: 400, Cores: 3, QueueLength: 1000})
		pool.derive = func(_, _ []byte, params ports.Argon2Params) []byte {
			raise(&mostMemory, memory.Add(2*int64(params.MemoryKiB)))
			raise(&mostCores, cores.Add(int64(params.Threads)))
			time.Sleep(time.Second)
			memory.Add(-2 * int64(params.MemoryKiB))
			cores.Add(-int64(params.Threads))
			return nil
		}
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				params := ports.Argon2Params{MemoryKiB: uint32(16 + i%7*30), Time: 1, Threads: uint8(1 + i%2)}
				_, err := pool.Derive(t.Context(), ports.Workload(i%2), nil, nil, params)
				assert.NoError(t, err)
			})
		}
		all.Wait()
		require.LessOrEqual(t, mostMemory.Load(), int64(400))
		require.LessOrEqual(t, mostCores.Load(), int64(3))
		require.Greater(t, mostCores.Load(), int64(1), "there was room for more than one")
		stats := pool.Stats()
		require.Zero(t, stats.Running)
		require.Zero(t, stats.HeldKiB)
		require.Equal(t, uint64(200), stats.Passwords.Done+stats.Entries.Done)
		pool.Close()
	})
}

func raise(most *atomic.Int64, to int64) {
	for {
		now := most.Load()
		if to <= now || most.CompareAndSwap(now, to) {
			return
		}
	}
}

// TestTurns queues six derivations for passwords and then two for entries. The derivations for entries run second and
// fourth, not last.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := slow(Config{Cores: 1})
		var order []string
		inner := pool.derive
		pool.derive = func(secret, salt []byte, params ports.Argon2Params) []byte {
			order = append(order, string(secret)) // one core: no other derivation runs
			return inner(secret, salt, params)
		}
		var all sync.WaitGroup
		begin := func(use ports.Workload, name string) {
			all.Go(func() {
				_, err := pool.Derive(t.Context(), use, []byte(name), nil, cheap)
				assert.NoError(t, err)
			})
			synctest.Wait()
		}
		for i := range 6 {
			begin(ports.PasswordWork, fmt.Sprintf("p%d", i))
		}
		begin(ports.EntryWork, "e0")
		begin(ports.EntryWork, "e1")
		require.Equal(t, Stats{
			Running:   1,
			HeldKiB:   16,
			Passwords: WorkloadStats{Waiting: 5},
			Entries:   WorkloadStats{Waiting: 2},
		}, pool.Stats())
		all.Wait()
		require.Equal(t, []string{"p0", "e0", "p1", "e1", "p2", "p3", "p4", "p5"}, order)
		pool.Close()
	})
}

// TestOriginsTakeTurns queues six jobs of one origin, then jobs of two other origins. The jobs of the other origins
// need not wait until all six jobs have run.
func TestOriginsTakeTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := slow(Config{Cores: 1})
		var order []string
		inner := pool.derive
		pool.derive = func(secret, salt []byte, params ports.Argon2Params) []byte {
			order = append(order, string(secret)) // one core: no other derivation runs
			return inner(secret, salt, params)
		}
		var all sync.WaitGroup
		for _, name := range []string{"a0", "a1", "a2", "a3", "a4", "a5", "b0", "b1", "c0"} {
			ctx := ports.WithOrigin(t.Context(), name[:1])
			all.Go(func() {
				_, err := pool.Derive(ctx, ports.EntryWork, []byte(name), nil, cheap)
				assert.NoError(t, err)
			})
			synctest.Wait()
		}
		all.Wait()
		require.Equal(t, []string{"a0", "a1", "b0", "c0", "a2", "b1", "a3", "a4", "a5"}, order)
		pool.Close()
	})
}

// TestFullQueueRefusesTheLargestOrigin verifies that a full queue refuses a job of the origin with the most waiting
// jobs, whether or not that job is the newest.
func TestFullQueueRefusesTheLargestOrigin(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := slow(Config{Cores: 1, QueueLength: 3})
		outcomes := map[string]error{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for _, name := range []string{"a0", "a1", "a2", "a3", "a4", "b0", "c0"} {
			ctx := ports.WithOrigin(t.Context(), name[:1])
			all.Go(func() {
				_, err := pool.Derive(ctx, ports.EntryWork, nil, nil, cheap)
				mu.Lock()
				defer mu.Unlock()
				outcomes[name] = err
			})
			synctest.Wait()
		}
		all.Wait()
		for name, err := range outcomes {
			if name == "a2" || name == "a3" || name == "a4" {
				require.ErrorIs(t, err, domain.Unavailable, name)
			} else {
				require.NoError(t, err, name)
			}
		}
		require.Equal(t, uint64(3), pool.Stats().Entries.Refused)
		pool.Close()
	})
}

// TestHeavyIsNotOvertaken verifies that a job that needs the whole budget runs although small jobs of the other
// workload keep arriving.
func TestHeavyIsNotOvertaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := slow(Config{Cores: 4, BudgetKiB: 64, QueueLength: 100})
		began := time.Now()
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				time.Sleep(time.Duration(i) * 250 * time.Millisecond)
				_, err := pool.Derive(t.Context(), ports.PasswordWork, nil, nil, cheap)
				assert.NoError(t, err)
			})
		}
		time.Sleep(1100 * time.Millisecond)
		_, err := pool.Derive(t.Context(), ports.EntryWork, nil, nil,
			ports.Argon2Params{MemoryKiB: 32, Time: 1, Threads: 4})
		require.NoError(t, err)
		require.Less(t, time.Since(began), 4*time.Second)
		all.Wait()
		pool.Close()
	})
}

func TestFullQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := slow(Config{Cores: 1, QueueLength: 2})
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				_, err := pool.Derive(t.Context(), ports.PasswordWork, nil, nil, cheap)
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		began := time.Now()
		_, err := pool.Derive(t.Context(), ports.PasswordWork, nil, nil, cheap)
		require.ErrorIs(t, err, domain.Unavailable)
		require.Equal(t, "busy", domain.CodeOf(err))
		require.ErrorContains(t, err, "queue")
		require.Zero(t, time.Since(began), "it is refused at once")
		require.Nil(t, domain.ErrBusy.Cause, "the shared refusal is unchanged")

		_, err = pool.Derive(t.Context(), ports.EntryWork, nil, nil, cheap)
		require.NoError(t, err, "the other workload has a separate queue")
		all.Wait()
		require.Equal(t, uint64(1), pool.Stats().Passwords.Refused)
		pool.Close()
	})
}

func TestEndWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := slow(Config{Cores: 1, QueueLength: 3})
		var all sync.WaitGroup
		all.Go(func() { _, _ = pool.Derive(t.Context(), ports.EntryWork, nil, nil, cheap) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		all.Go(func() {
			_, err := pool.Derive(ctx, ports.EntryWork, nil, nil, cheap)
			assert.ErrorIs(t, err, domain.Unavailable)
			assert.ErrorIs(t, err, context.DeadlineExceeded)
		})
		synctest.Wait()
		last := errors.New("not served")
		all.Go(func() { _, last = pool.Derive(t.Context(), ports.EntryWork, nil, nil, cheap) })
		synctest.Wait()
		require.Equal(t, 2, pool.Stats().Entries.Waiting)
		time.Sleep(400 * time.Millisecond)
		require.Equal(t, 1, pool.Stats().Entries.Waiting, "it has left the queue")
		all.Wait()
		require.NoError(t, last)

		_, err := pool.Derive(ctx, ports.EntryWork, nil, nil, cheap)
		require.ErrorIs(t, err, context.DeadlineExceeded, "a request that ended before it was queued is not served")
		require.Equal(t, Stats{Entries: WorkloadStats{Done: 2, Refused: 2}}, pool.Stats())
		pool.Close()
	})
}

// TestCancelledWhenGranted cancels requests at the moment when the pool grants their jobs. If the pool did not release
// the memory and cores of these jobs, its capacity would shrink over time.
func TestCancelledWhenGranted(t *testing.T) {
	t.Parallel()
	pool := New(Config{Cores: 2, QueueLength: 1000})
	defer pool.Close()
	var all sync.WaitGroup
	for i := range 400 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%20)*50*time.Microsecond)
			defer cancel()
			_, _ = pool.Derive(ctx, ports.Workload(i%2), nil, []byte("saltsalt"), cheap)
		})
	}
	all.Wait()
	stats := pool.Stats()
	require.Zero(t, stats.Running)
	require.Zero(t, stats.HeldKiB)
	require.Zero(t, stats.Passwords.Waiting+stats.Entries.Waiting)
	require.Equal(t, uint64(400), stats.Passwords.Done+stats.Passwords.Refused+stats.Entries.Done+stats.Entries.Refused)
	require.Zero(t, pool.coresBusy)
}
