package boot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/lockbox-go/lockbox/adapters/docker"
	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/otp"
	"github.com/lockbox-go/lockbox/adapters/passwords"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/adapters/tokens"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/migrations"
	"github.com/lockbox-go/lockbox/ports"
)

// databasePatience is how long a start waits for a database that does not answer yet.
const databasePatience = 30 * time.Second

// core is what serving and the commands have in common: the database with its schema up to date, and the key ring.
type core struct {
	config       Config
	store        *postgres.Store
	keyring      *sealing.Keyring
	derivations  *kdf.Pool
	installation string
	clock        system.Clock
	ids          system.IDs
	engine       *docker.Host // nil where no droplet host is set up
}

// patience is whether statements may take their time.
type patience bool

const (
	serving   patience = false
	operating patience = true
)

func openCore(ctx context.Context, config Config, log *slog.Logger, long patience) (*core, error) {
	c := &core{config: config}
	var err error
	// Server keys become stale only after openKeyring has read them.
	reload := func(ctx context.Context) error { return c.keyring.Reload(ctx) }
	if c.store, err = openStore(ctx, config, log, storeOptions{patience: long, onStaleServerKey: reload}); err != nil {
		return nil, err
	}
	if err := c.open(ctx, log); err != nil {
		c.store.Close()
		return nil, err
	}
	return c, nil
}

func (c *core) open(ctx context.Context, log *slog.Logger) error {
	if err := upgradeSchema(ctx, c.config, log); err != nil {
		return err
	}
	var err error
	if c.installation, err = c.store.Installation(ctx, c.ids.New(), c.clock.Now()); err != nil {
		return err
	}
	if c.keyring, err = openKeyring(ctx, c); err != nil {
		return err
	}
	c.derivations = kdf.New(kdf.Config{})
	return nil
}

func (c *core) close() {
	if c.engine != nil {
		_ = c.engine.Close() // idle connections alone
	}
	c.derivations.Close()
	c.store.Close()
}

// storeOptions are the settings of a store that do not come from the environment.
type storeOptions struct {
	patience patience
	// onStaleServerKey reloads the key ring; nil where no unit of work runs.
	onStaleServerKey func(ctx context.Context) error
}

// openStore opens the database. It waits up to databasePatience for a database that is still starting.
func openStore(ctx context.Context, config Config, log *slog.Logger, options storeOptions) (*postgres.Store, error) {
	deadline := time.Now().Add(databasePatience)
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		store, err := postgres.Open(ctx, postgres.Config{
			URL:              string(config.DatabaseURL.Bytes()),
			MaxConns:         config.DBMaxConns,
			Patient:          bool(options.patience),
			Clock:            system.Clock{},
			OnStaleServerKey: options.onStaleServerKey,
		})
		if err == nil {
			return store, nil
		}
		if !errors.Is(err, domain.Unavailable) || time.Now().After(deadline) {
			return nil, fmt.Errorf("open the database of LOCKBOX_DATABASE_URL: %w", err)
		}
		log.Warn("the database does not answer yet", slog.Any("error", err))
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
	log.Info("the schema is up to date", slog.Uint64("from", uint64(before)), slog.Uint64("to", uint64(newest)))
	return nil
}

func openKeyring(ctx context.Context, c *core) (*sealing.Keyring, error) {
	secret, err := sealing.ParseSecret(string(c.config.SecretKey.Bytes()))
	if err != nil {
		return nil, mistake("SECRET_KEY", err.Error())
	}
	var previous sealing.Secret
	if len(c.config.SecretKeyPrevious.Bytes()) > 0 {
		if previous, err = sealing.ParseSecret(string(c.config.SecretKeyPrevious.Bytes())); err != nil {
			return nil, mistake("SECRET_KEY_PREVIOUS", err.Error())
		}
	}
	return sealing.OpenKeyring(ctx, sealing.KeyringConfig{
		Store:    c.store.Read().ServerKeys,
		Secret:   secret,
		Previous: previous,
		IDs:      c.ids,
		Clock:    c.clock,
	})
}

func (c *core) params() ports.Argon2Params {
	return ports.Argon2Params{MemoryKiB: c.config.KDFMemoryKiB, Time: c.config.KDFTime, Threads: 1}
}

func (c *core) hasher() (*passwords.Hasher, error) {
	return passwords.New(passwords.Config{Derive: c.derivations.Derive, Params: c.params()})
}

func (c *core) entrySealer() (*sealing.EntrySealer, error) {
	return sealing.NewEntrySealer(sealing.EntryConfig{Keys: c.keyring, Derive: c.derivations.Derive,
		Params: c.params()})
}

// accounts makes the use cases of accounts over what is open.
func (c *core) accounts(events ports.EventWriter) (*identity.Service, error) {
	hasher, err := c.hasher()
	if err != nil {
		return nil, err
	}
	codes, err := otp.New(otp.Config{Issuer: c.config.TOTPIssuer})
	if err != nil {
		return nil, err
	}
	signer, err := c.signer()
	if err != nil {
		return nil, err
	}
	return identity.New(identity.Config{
		Store:             c.store,
		Events:            events,
		Passwords:         hasher,
		Sealer:            c.accountSealer(),
		Tokens:            signer,
		Codes:             codes,
		Digests:           c.digests(),
		Clock:             c.clock,
		IDs:               c.ids,
		OpenRegistration:  !c.config.RequireAdminToCreateUser,
		ShowAPIKeys:       c.config.ShowAPIKeys,
		MinPasswordLength: c.config.MinPasswordLength,
		SessionTTL:        c.config.TokenTTL,
		InitToken:         c.config.InitToken,
		AccessTTL:         c.config.AccessTokenTTL,
		RefreshTTL:        c.config.RefreshTokenTTL,
		Throttle:          c.throttle(),
	}), nil
}

func (c *core) signer() (*tokens.Signer, error) {
	return tokens.New(tokens.Config{Keys: c.keyring, Installation: c.installation, Clock: c.clock})
}

func (c *core) digests() *sealing.Digests { return sealing.NewDigests(c.keyring) }

func (c *core) throttle() domain.RateLimits {
	return domain.NewRateLimits(c.config.FreeAttempts)
}

func (c *core) accountSealer() *sealing.AccountSealer {
	return sealing.NewAccountSealer(c.keyring, nil)
}

// OpenServerKeys opens the database and the key ring for the commands about server keys. The caller closes them.
func OpenServerKeys(ctx context.Context, config Config, log *slog.Logger,
	grace time.Duration) (service *serverkeys.Service, closeAll func(), err error) {
	if err := config.checkStorage(); err != nil {
		return nil, nil, err
	}
	c, err := openCore(ctx, config, log, operating)
	if err != nil {
		return nil, nil, err
	}
	entries, err := c.entrySealer()
	if err != nil {
		c.close()
		return nil, nil, err
	}
	return serverkeys.New(serverkeys.Config{
		Store:   c.store,
		Keyring: c.keyring,
		Entries: entries,
		Account: c.accountSealer(),
		Clock:   c.clock,
		IDs:     c.ids,
		Grace:   grace,
	}), c.close, nil
}

// OpenOperator opens the database and the key ring for the commands about accounts. The caller closes them.
func OpenOperator(ctx context.Context, config Config, log *slog.Logger) (operator identity.Operator, closeAll func(),
	err error) {
	if err := errors.Join(config.checkStorage(), config.checkLimits()); err != nil {
		return operator, nil, err
	}
	c, err := openCore(ctx, config, log, operating)
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

// RekeyGrace is longer than any transaction of a server can last.
const RekeyGrace = postgres.LongestTransaction + 5*time.Second

// Migrator upgrades and downgrades the schema for `lockbox migrate`.
type Migrator = migrate.Migrator

// OpenMigrator returns the migrator of the configured database.
func OpenMigrator(config Config) (*Migrator, error) {
	if len(config.DatabaseURL.Bytes()) == 0 {
		return nil, mistake("DATABASE_URL", "is not set")
	}
	return migrate.New(string(config.DatabaseURL.Bytes()), migrations.Files)
}

// CheckSchema returns an error if a program whose newest migration is newest must not serve a
// schema at version current.
func CheckSchema(current, newest uint) error { return migrate.CheckSchema(current, newest) }
