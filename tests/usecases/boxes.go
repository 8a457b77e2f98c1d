package usecases

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// FreePassphrases is the number of wrong passphrases that are allowed before a lockout.
const FreePassphrases = 3

// GeneratedKey is a generated encryption key in the form that a client sends.
var GeneratedKey = domain.FormatGeneratedKey([32]byte{1, 2, 3})

// Boxes extends Parts with the use cases of boxes. Keys are derived from passphrases with a single SHA-256 instead of
// Argon2id, so that tests are fast.
type Boxes struct {
	*Parts
	Vault *vault.Service
	// Derivations counts the keys that were derived from passphrases.
	Derivations atomic.Int32
	// OnDerive, if set, runs during each derivation. At that time, a use case has authorised the request once, but has
	// not yet authorised it again. A test can change the permissions in between.
	OnDerive func()

	t testing.TB
}

// OpenBoxes opens the parts and creates the use cases of boxes. By default, boxes have no limits. The functions in the
// argument change can set limits.
func OpenBoxes(t testing.TB, change ...func(*vault.Config)) *Boxes {
	t.Helper()
	b := &Boxes{Parts: Open(t, FreePassphrases), t: t}
	b.Vault = b.Service(change...)
	return b
}

// Service returns a further instance of the use cases, as on another server with the same database.
func (b *Boxes) Service(change ...func(*vault.Config)) *vault.Service {
	b.t.Helper()
	sealer, err := sealing.NewEntrySealer(sealing.EntryConfig{Keys: b.Keyring, Derive: b.derive})
	require.NoError(b.t, err)
	config := vault.Config{
		Gate:   b.Gate,
		Store:  b.Store,
		Reader: b.Store,
		Writer: b.Store,
		Sealer: sealer,
		Clock:  b.Clock,
		IDs:    b.IDs,

		Installation: b.Installation,
	}
	for _, each := range change {
		each(&config)
	}
	return vault.New(config)
}

// derive is a ports.DeriveFunc.
func (b *Boxes) derive(_ context.Context, _ ports.Workload, secret, salt []byte, p ports.Argon2Params) ([]byte, error) {
	b.Derivations.Add(1)
	if b.OnDerive != nil {
		b.OnDerive()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%x %x %v", secret, salt, p))
	return sum[:], nil
}

// User stores a user and a session of that user. It returns a requester with the session's credential. If group is
// empty, the user has no group.
func (b *Boxes) User(name string, group domain.Group) domain.Requester {
	b.t.Helper()
	now := b.Clock.Now()
	user := domain.NewUser(b.IDs.New(), domain.UserName(name), domain.RoleUser, now)
	user.Group = group
	session := domain.NewSession(b.IDs.New(), user, now, 7*24*time.Hour)
	session.SignedBy, _ = b.Keyring.Current(domain.KeyForSessions)
	repos := b.Store.Read()
	require.NoError(b.t, repos.Users.Add(b.t.Context(), user, ports.SealedPassword{}))
	require.NoError(b.t, repos.Users.Save(b.t.Context(), user))
	require.NoError(b.t, repos.Sessions.Add(b.t.Context(), session))
	by := From("192.0.2.1")
	by.Credential = domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	return by
}

// Log returns the events of the audit log, oldest first. Each event has the form "actor action outcome key target",
// with "-" for an empty field.
func (b *Boxes) Log() []string {
	b.t.Helper()
	page, err := b.Store.Read().Events.List(b.t.Context(), ports.EventFilter{Limit: 1000})
	require.NoError(b.t, err)
	events := page.Events
	lines := make([]string, len(events))
	for i, e := range events {
		lines[len(events)-1-i] = fmt.Sprint(orDash(e.ActorName), " ", e.Action, " ", e.Outcome, " ",
			orDash(string(e.Key)), " ", orDash(e.Target))
	}
	return lines
}

// LastLogged returns the newest event.
func (b *Boxes) LastLogged() string {
	b.t.Helper()
	lines := b.Log()
	require.NotEmpty(b.t, lines)
	return lines[len(lines)-1]
}

// AwaitLock waits until a transaction of the database waits for a lock.
func (b *Boxes) AwaitLock() {
	b.t.Helper()
	const waiting = `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND wait_event_type = 'Lock'`
	require.Eventually(b.t, func() bool { return pgtest.Number(b.t, b.URL, waiting) > 0 }, 10*time.Second,
		10*time.Millisecond, "no transaction waits for a lock")
}

// Key parses an encryption key. text is the form that a client sends.
func Key(t testing.TB, text string) domain.EncryptionKey {
	t.Helper()
	key, err := domain.ParseEncryptionKey(text)
	require.NoError(t, err)
	return key
}
