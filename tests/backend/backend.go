// Package backend runs use cases on a real database without HTTP. Each test gets a database, a key ring, a gate and a
// vault of its own, with a clock that the test sets and a key derivation that costs nothing and is counted.
package backend

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// FreePassphrases is the number of wrong passphrases before a lockout.
const FreePassphrases = 3

// Backend is what use cases need, on one database.
type Backend struct {
	Store *postgres.Store
	Gate  *gate.Gate
	Vault *vault.Service
	Clock *Clock
	IDs   system.IDs
	// URL is the address of the database.
	URL string
	// Derivations counts the keys derived from passphrases.
	Derivations atomic.Int32
	// OnDerive runs at the beginning of each derivation, when it is not nil.
	OnDerive func()

	t    testing.TB
	ring *sealing.Keyring
}

// New returns a Backend that ends with the test. The limits of its vault are zero, but for those that change sets.
func New(t testing.TB, change ...func(*vault.Config)) *Backend {
	t.Helper()
	b := &Backend{t: t, URL: pgtest.New(t), Clock: &Clock{}}
	store, err := postgres.Open(t.Context(), postgres.Config{URL: b.URL, Clock: b.Clock})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	b.Store = store
	_, err = store.Installation(t.Context(), b.IDs.New(), b.Clock.Now())
	require.NoError(t, err)
	b.ring, err = sealing.OpenKeyring(t.Context(), sealing.KeyringConfig{
		Store:  store.Read().ServerKeys,
		Secret: sealing.Secret{Secret: domain.NewSecret(string(bytes.Repeat([]byte{1}, 32)))},
		IDs:    b.IDs,
		Clock:  b.Clock,
	})
	require.NoError(t, err)
	store.SetOnStaleServerKey(b.ring.Reload)
	events := store.NewEventWriter()
	t.Cleanup(events.Close)
	b.Gate = gate.New(gate.Config{
		Store:   store,
		Events:  events,
		Digests: sealing.NewDigests(b.ring),
		Clock:   b.Clock,
		IDs:     b.IDs,
		Limits:  domain.NewRateLimits(FreePassphrases),
	})
	b.Vault = vault.New(b.vaultConfig(change))
	return b
}

func (b *Backend) vaultConfig(change []func(*vault.Config)) vault.Config {
	b.t.Helper()
	sealer, err := sealing.NewEntrySealer(sealing.EntryConfig{Keys: b.ring, Derive: b.derive})
	require.NoError(b.t, err)
	config := vault.Config{
		Gate:   b.Gate,
		Store:  b.Store,
		Reader: b.Store,
		Writer: b.Store,
		Sealer: sealer,
		Clock:  b.Clock,
		IDs:    b.IDs,
	}
	for _, each := range change {
		each(&config)
	}
	return config
}

// derive stands in for Argon2id.
func (b *Backend) derive(_ context.Context, _ ports.Workload, secret, salt []byte, p ports.Argon2Params) ([]byte,
	error) {
	b.Derivations.Add(1)
	if b.OnDerive != nil {
		b.OnDerive()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%x %x %v", secret, salt, p))
	return sum[:], nil
}

// User inserts a user and returns the requester of a session. The zero group is none.
func (b *Backend) User(name string, group domain.Group) domain.Requester {
	b.t.Helper()
	now := b.Clock.Now()
	user := domain.NewUser(b.IDs.New(), domain.UserName(name), domain.RoleUser, now)
	user.Group = group
	session := domain.NewSession(b.IDs.New(), user, now, 7*24*time.Hour)
	session.SignedBy, _ = b.ring.Current(domain.KeyForSessions)
	repos := b.Store.Read()
	require.NoError(b.t, repos.Users.Add(b.t.Context(), user, ports.SealedPassword{}))
	require.NoError(b.t, repos.Users.Save(b.t.Context(), user))
	require.NoError(b.t, repos.Sessions.Add(b.t.Context(), session))
	return domain.Requester{
		Credential: domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID},
		RequestID:  "request",
		Address:    "192.0.2.1",
	}
}

// Events returns the audit log, oldest first, a line per event: actor, action, outcome, entry key and target.
func (b *Backend) Events() []string {
	b.t.Helper()
	events, err := b.Store.Read().Events.List(b.t.Context(), ports.EventFilter{Limit: 1000})
	require.NoError(b.t, err)
	lines := make([]string, len(events))
	for i, e := range events {
		lines[len(events)-1-i] = fmt.Sprint(e.ActorName, " ", e.Action, " ", e.Outcome, " ", e.Key, " ", e.Target)
	}
	return lines
}

// Key returns an encryption key as a client would send it.
func Key(t testing.TB, text string) domain.EncryptionKey {
	t.Helper()
	key, err := domain.ParseEncryptionKey(text)
	require.NoError(t, err)
	return key
}

// GeneratedKey is a generated encryption key as text.
var GeneratedKey = domain.FormatGeneratedKey([32]byte{1, 2, 3})

// Clock runs with the machine's clock, ahead of it by what Advance added. It implements ports.Clock.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return system.Clock{}.Now().Add(c.ahead)
}

// Advance moves the clock forward.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// AwaitLock returns when a transaction of the test's database waits for a lock.
func (b *Backend) AwaitLock() {
	b.t.Helper()
	const waiting = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`
	require.Eventually(b.t, func() bool { return pgtest.Number(b.t, b.URL, waiting) > 0 }, 10*time.Second,
		10*time.Millisecond, "no transaction waits for a lock")
}
