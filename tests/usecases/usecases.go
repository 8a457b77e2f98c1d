// Package usecases provides the dependencies of use cases, with a separate database for each test. The rules of a use
// case can thus be tested beside their code, without HTTP. The clock and the password hashing are test doubles: tests
// set the time, and need not wait for Argon2id. All other parts are the same as in the program.
package usecases

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/adapters/tokens"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// Parts are the dependencies of the use cases.
type Parts struct {
	// URL is the URL of the database.
	URL     string
	Store   *postgres.Store
	Events  ports.EventWriter
	Keyring *sealing.Keyring
	Sealer  *sealing.AccountSealer
	Digests *sealing.Digests
	// TokenDigests computes the keyed digests of opaque tokens, recovery codes and invitations.
	TokenDigests *sealing.TokenDigests
	Tokens       *tokens.Signer
	TOTP         *otp.Codes
	Gate         *gate.Gate
	Clock        *Clock
	IDs          system.IDs
	Passwords    *Passwords
	// Installation identifies the database.
	Installation domain.InstallationID
}

// Open creates the parts and closes them at the end of the test. freeAttempts is the number of failed attempts that are
// allowed before a lockout.
func Open(t testing.TB, freeAttempts int) *Parts {
	t.Helper()
	p := &Parts{URL: pgtest.New(t), Clock: newClock(), Passwords: &Passwords{}}
	var err error
	p.Store, err = postgres.Open(t.Context(), postgres.Config{
		URL:              p.URL,
		Clock:            p.Clock,
		OnStaleServerKey: func(ctx context.Context) error { return p.Keyring.Reload(ctx) },
	})
	require.NoError(t, err)
	t.Cleanup(p.Store.Close)
	p.openKeys(t)
	events := p.Store.NewEventWriter()
	t.Cleanup(events.Close)
	p.Events = events
	p.TOTP, err = otp.New(otp.Config{Issuer: "Lockbox"})
	require.NoError(t, err)
	p.Gate = gate.New(gate.Config{
		Store:   p.Store,
		Events:  p.Events,
		Digests: p.Digests,
		Clock:   p.Clock,
		IDs:     p.IDs,
		Limits:  domain.NewRateLimits(freeAttempts),
	})
	return p
}

// openKeys creates the key ring, and the parts that encrypt, sign or compute digests with the keys of this key ring.
func (p *Parts) openKeys(t testing.TB) {
	t.Helper()
	secret, err := sealing.ParseSecret("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	require.NoError(t, err)
	p.Keyring, err = sealing.OpenKeyring(t.Context(), sealing.KeyringConfig{
		Store:  p.Store.Read().ServerKeys,
		Secret: secret,
		IDs:    p.IDs,
		Clock:  p.Clock,
	})
	require.NoError(t, err)
	p.Sealer, p.Digests = sealing.NewAccountSealer(p.Keyring, nil), sealing.NewDigests(p.Keyring)
	p.TokenDigests = sealing.NewTokenDigests(p.Keyring)
	installation, err := p.Store.Installation(t.Context(), p.IDs.New(), p.Clock.Now())
	require.NoError(t, err)
	p.Installation, _ = domain.ParseID[domain.Installation](installation)
	p.Tokens, err = tokens.New(tokens.Config{Keys: p.Keyring, Installation: installation, Clock: p.Clock})
	require.NoError(t, err)
}

// Audited returns the events of an action, oldest first. Each event has the form "actor outcome target", with "-" for
// an empty field.
func (p *Parts) Audited(t testing.TB, action domain.Action) []string {
	t.Helper()
	page, err := p.Store.Read().Events.List(t.Context(), ports.EventFilter{Action: action, Limit: 1000})
	require.NoError(t, err)
	events := page.Events
	lines := make([]string, len(events))
	for i, event := range events {
		line := orDash(event.ActorName) + " " + event.Outcome.String() + " " + orDash(event.Target)
		lines[len(events)-1-i] = line
	}
	return lines
}

// Execute runs an SQL statement directly on the database. An attacker with access to the database could do the same.
func (p *Parts) Execute(t testing.TB, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), p.URL)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), sql)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
}

// Code returns the current TOTP code of a secret in base32.
func (p *Parts) Code(t testing.TB, secret string) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, p.Clock.Now())
	require.NoError(t, err)
	return code
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// From returns a requester with the given client address and without a credential.
func From(address string) domain.Requester { return domain.Requester{Address: address} }
