package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/adapters/auditstream"
	"github.com/lockbox-go/lockbox/adapters/docker"
	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/passwords"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/adapters/tokens"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/migrations"
	"github.com/lockbox-go/lockbox/ports"
)

// databasePatience is the time that the program waits for a database that does not answer yet. After a reboot,
// PostgreSQL may start later than Lockbox.
const databasePatience = 30 * time.Second

// core holds the parts that the server and the operator's commands share, such as the database and the key ring.
type core struct {
	config Config
	// store is the database. keyring holds the decrypted server keys of the database.
	store   *postgres.Store
	keyring *sealing.Keyring
	// derivations runs the key derivations for passwords and for entries. It limits how many of them run at once.
	derivations *kdf.Pool
	// installation is the id of the database. Tokens, containers and keyrings contain this id. A server refuses a
	// token, container or keyring that contains another id.
	installation domain.InstallationID
	clock        system.Clock
	ids          system.IDs
	// engine is nil if no droplet host is configured.
	engine *docker.Host
	// tracer is nil if tracing is off. The commands of an operator make no traces.
	tracer trace.Tracer
	// entrance is the gate that all use cases share.
	entrance *gate.Gate
	// sweeps holds the metrics of sweeps, and stream is the audit stream. Only a server sets these fields. stream is
	// nil if the audit stream is off.
	sweeps *sweepMetrics
	stream *auditstream.Stream
}

// patience selects the time limit of a statement: postgres.PatientTimeout if patience is true, otherwise
// postgres.StatementTimeout.
type patience bool

// The two kinds of programs. The server and the commands about accounts run statements that take milliseconds. The
// commands about server keys may read whole tables.
const (
	serving   patience = false
	operating patience = true
)

// openCore opens the database and the key ring. The caller closes the core.
func openCore(ctx context.Context, config Config, log *slog.Logger, long patience,
	tracer trace.Tracer) (*core, error) {
	c := &core{config: config, tracer: tracer}
	var err error
	// The store calls this function when a unit of work returns ports.ErrStaleServerKey. At that time, openKeyring has
	// already set c.keyring.
	reload := func(ctx context.Context) error { return c.keyring.Reload(ctx) }
	options := storeOptions{patience: long, onStaleServerKey: reload, tracer: tracer}
	if c.store, err = openStore(ctx, config, log, options); err != nil {
		return nil, err
	}
	if err := c.open(ctx, log); err != nil {
		c.store.Close()
		return nil, err
	}
	return c, nil
}

// open upgrades the schema, reads the id of the installation, and opens the key ring.
func (c *core) open(ctx context.Context, log *slog.Logger) error {
	if err := upgradeSchema(ctx, c.config, log); err != nil {
		return err
	}
	text, err := c.store.Installation(ctx, c.ids.New(), c.clock.Now())
	if err != nil {
		return err
	}
	c.installation, _ = domain.ParseID[domain.Installation](text)
	if c.keyring, err = openKeyring(ctx, c); err != nil {
		return err
	}
	c.derivations = kdf.New(kdf.Config{Cores: c.config.maxDerivations(), Tracer: c.tracer})
	return nil
}

// serverKeys returns the use cases of the server keys. The arguments entries and grace are only for a rekey.
func (c *core) serverKeys(entries ports.EntrySealer, grace time.Duration) *serverkeys.Service {
	return serverkeys.New(serverkeys.Config{
		Store:   c.store,
		Keyring: c.keyring,
		Entries: entries,
		Account: c.accountSealer(),
		Digests: sealing.NewTokenDigests(c.keyring),
		Clock:   c.clock,
		IDs:     c.ids,
		Grace:   grace,
	})
}

// close closes everything that is open. Call it only when no unit of work is running.
func (c *core) close() {
	if c.engine != nil {
		_ = c.engine.Close() // only closes idle connections, so the error does not matter
	}
	c.derivations.Close()
	c.store.Close()
}

// storeOptions are the options of openStore that do not come from the environment.
type storeOptions struct {
	patience patience
	// onStaleServerKey reloads the key ring. It is nil in a program that runs no unit of work.
	onStaleServerKey func(ctx context.Context) error
	// tracer is nil without traces.
	tracer trace.Tracer
}

// openStore opens the database. It waits up to databasePatience for a database that is still starting.
func openStore(ctx context.Context, config Config, log *slog.Logger, options storeOptions) (*postgres.Store, error) {
	// Only Unavailable is retried. A retry cannot fix a wrong password or a malformed URL.
	deadline := time.Now().Add(databasePatience)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		store, err := postgres.Open(ctx, postgres.Config{
			URL:                string(config.DatabaseURL.Bytes()),
			MaxConns:           config.DBMaxConns,
			TransactionPooling: config.DBPooling == TransactionPooling,
			Patient:            bool(options.patience),
			Clock:              system.Clock{},
			OnStaleServerKey:   options.onStaleServerKey,
			Log:                log,
			Tracer:             options.tracer,
		})
		if err == nil {
			return store, nil
		}
		if !errors.Is(err, domain.Unavailable) || time.Now().After(deadline) {
			return nil, fmt.Errorf("cannot open the database of LOCKBOX_DATABASE_URL: %w", err)
		}
		// Log why the start takes so long.
		if errors.Is(err, postgres.ErrStandby) {
			log.Warn("the database is a read-only standby; waiting for the primary", slog.Any("error", err))
		} else {
			log.Warn("the database does not answer yet", slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// upgradeSchema applies missing migrations and accepts a newer schema of the same release line.
func upgradeSchema(ctx context.Context, config Config, log *slog.Logger) error {
	migrator, err := migrate.New(string(config.DatabaseURL.Bytes()), migrations.Files)
	if err != nil {
		return err
	}
	// CheckSchema refuses the schema of a newer release line before this program changes anything.
	before, newest, err := migrator.Version(ctx)
	if err != nil {
		return err
	}
	if err := migrate.CheckSchema(before, newest); err != nil || before >= newest {
		return err
	}
	if err := migrator.Up(ctx); err != nil {
		return err
	}
	log.Info("upgraded the schema", slog.Uint64("from", uint64(before)), slog.Uint64("to", uint64(newest)))
	return nil
}

// openKeyring reads the server keys and decrypts them with the secret. If a key cannot be decrypted, the secret is
// wrong.
func openKeyring(ctx context.Context, c *core) (*sealing.Keyring, error) {
	return sealing.OpenKeyring(ctx, c.config.keyringConfig(c.store.Read().ServerKeys))
}

// params returns the Argon2id parameters for new password hashes and for new values under a passphrase. Stored hashes
// and values keep their own parameters.
func (c *core) params() ports.Argon2Params {
	// One derivation uses one thread, because more threads would take cores away from other requests.
	return ports.Argon2Params{MemoryKiB: c.config.KDFMemoryKiB, Time: c.config.KDFTime, Threads: 1}
}

// hasher returns the password hasher. Password hashing and the key derivations of entries share one memory limit.
func (c *core) hasher() (*passwords.Hasher, error) {
	return passwords.New(passwords.Config{Derive: c.derivations.Derive, Params: c.params()})
}

// entrySealer returns the sealer that encrypts the values of entries.
func (c *core) entrySealer() (*sealing.EntrySealer, error) {
	return sealing.NewEntrySealer(sealing.EntryConfig{Keys: c.keyring, Derive: c.derivations.Derive,
		Params: c.params()})
}

// gate returns the gate that all use cases share. The first call creates the gate, which writes audit events to
// events. Later calls ignore their argument.
func (c *core) gate(events ports.EventWriter) *gate.Gate {
	if c.entrance != nil {
		return c.entrance
	}
	c.entrance = gate.New(gate.Config{
		Store:   c.store,
		Events:  events,
		Digests: sealing.NewDigests(c.keyring),
		Clock:   c.clock,
		IDs:     c.ids,
		Limits:  c.config.RateLimits,
	})
	return c.entrance
}

// accounts returns the use cases of accounts.
func (c *core) accounts(events ports.EventWriter) (*identity.Service, error) {
	hasher, err := c.hasher()
	if err != nil {
		return nil, err
	}
	signer, err := c.signer()
	if err != nil {
		return nil, err
	}
	return identity.New(identity.Config{
		Gate:              c.gate(events),
		Store:             c.store,
		Passwords:         hasher,
		Sealer:            c.accountSealer(),
		Tokens:            signer,
		TOTP:              c.config.derived.totp,
		Digests:           sealing.NewDigests(c.keyring),
		TokenDigests:      sealing.NewTokenDigests(c.keyring),
		Clock:             c.clock,
		IDs:               c.ids,
		Installation:      c.installation,
		OpenRegistration:  !c.config.RequireAdminToCreateUser,
		ShowAPIKeys:       c.config.ShowAPIKeys,
		MinPasswordLength: c.config.MinPasswordLength,
		SessionTTL:        c.config.TokenTTL,
		InitToken:         c.config.InitToken,
		AccessTTL:         c.config.AccessTokenTTL,
		RefreshTTL:        c.config.RefreshTokenTTL,
	}), nil
}

// signer returns the signer of API keys and session tokens. A token names its installation, so a server refuses the
// tokens of other installations.
func (c *core) signer() (*tokens.Signer, error) {
	return tokens.New(tokens.Config{Keys: c.keyring, Installation: c.installation.String(), Clock: c.clock})
}

// accountSealer returns the sealer that encrypts password hashes and TOTP secrets.
func (c *core) accountSealer() *sealing.AccountSealer {
	return sealing.NewAccountSealer(c.keyring, nil)
}

// OpenServerKeys opens the database and the key ring for the commands about server keys. A rekey waits for the
// transactions that were open when the rekey began. After the time in the argument grace, the rekey waits only for the
// transactions of servers. The caller must call closeAll.
func OpenServerKeys(ctx context.Context, config Config, log *slog.Logger,
	grace time.Duration) (service *serverkeys.Service, closeAll func(), err error) {
	// An operator must be able to rotate the secret even if the other settings of the server are wrong or missing.
	if err := config.checkStorage(); err != nil {
		return nil, nil, err
	}
	c, err := openCore(ctx, config, log, operating, nil)
	if err != nil {
		return nil, nil, err
	}
	entries, err := c.entrySealer()
	if err != nil {
		c.close()
		return nil, nil, err
	}
	return c.serverKeys(entries, grace), c.close, nil
}

// OpenOperator opens the database and the key ring for the commands about accounts. The caller must call closeAll.
func OpenOperator(ctx context.Context, config Config, log *slog.Logger) (operator identity.Operator, closeAll func(),
	err error) {
	// Do not call Validate here: it checks all settings, such as those of droplets, but these commands need only some
	// of them.
	if err := errors.Join(config.checkStorage(), config.checkLimits()); err != nil {
		return operator, nil, err
	}
	c, err := openCore(ctx, config, log, serving, nil)
	if err != nil {
		return operator, nil, err
	}
	events := c.store.NewEventWriter()
	closeAll = func() {
		events.Close()
		c.close()
	}
	service, err := c.accounts(events)
	if err != nil {
		closeAll()
		return operator, nil, err
	}
	return service.Operator(), closeAll, nil
}

// RekeyGrace is the default of --grace in lockbox secret rekey. Every transaction of a server is shorter than
// RekeyGrace.
const RekeyGrace = postgres.LongestTransaction + 5*time.Second

// Migrator upgrades and downgrades the schema for `lockbox migrate`.
type Migrator = migrate.Migrator

// OpenMigrator returns the migrator of the configured database. It needs no secret.
func OpenMigrator(config Config) (*Migrator, error) {
	if len(config.DatabaseURL.Bytes()) == 0 {
		return nil, mistake("DATABASE_URL", "is not set: set it to postgres://user:password@host:5432/name")
	}
	return migrate.New(string(config.DatabaseURL.Bytes()), migrations.Files)
}

// CheckSchema returns an error if the schema of a database is too new for the program; see migrate.CheckSchema. current
// is the version of the schema. newest is the newest migration that the program knows.
func CheckSchema(current, newest uint) error { return migrate.CheckSchema(current, newest) }
