package boot

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/lockbox-go/lockbox/adapters/backup"
	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/migrations"
	"github.com/lockbox-go/lockbox/ports"
)

// Verification is the result of VerifyBackup.
type Verification struct {
	BackupReport
	// Opened has the numbers of rows that the server keys decrypted.
	Opened ports.SealedCounts
}

// VerifyBackup restores a backup into a scratch database and proves that the backup can be used. The manifest must be
// authentic, and the dump must have the hash in the manifest. The restored tables must have the number of rows in the
// manifest. The secret must open the server keys, and these keys must open the server's layer of every sealed row. On
// success, VerifyBackup writes the time of the verification into the manifest.
//
// If path is empty, VerifyBackup uses the newest backup in the folder of the setting BACKUP_DIR. The argument
// scratchURL is the URL of an empty database into which VerifyBackup restores the dump. At the end, VerifyBackup
// empties this database. If scratchURL is "", VerifyBackup starts a private PostgreSQL server. VerifyBackup never opens
// the configured database.
func VerifyBackup(ctx context.Context, config Config, path, scratchURL string) (Verification, error) {
	if config.SecretKey.IsZero() {
		return Verification{}, config.missingSecret()
	}
	path, err := config.backupPath(path)
	if err != nil {
		return Verification{}, err
	}
	manifest, authenticator, err := config.readManifest(path)
	if err != nil {
		return Verification{}, err
	}
	dump, err := backup.Open(path, manifest)
	if err != nil {
		return Verification{}, err
	}
	defer func() { _ = dump.Close() }() // a copy
	scratch, err := openScratch(ctx, scratchURL, manifest)
	if err != nil {
		return Verification{}, err
	}
	opened, err := config.verifyIn(ctx, scratch.url, manifest, dump)
	if err = errors.Join(err, scratch.close()); err != nil {
		return Verification{}, err
	}
	manifest.VerifiedAt = system.Clock{}.Now()
	if err := manifest.Write(path, authenticator.Code); err != nil {
		return Verification{}, fmt.Errorf(
			"the backup was verified, but the time could not be written to its manifest: %w", err)
	}
	return Verification{BackupReport: reportOf(path, manifest), Opened: opened}, nil
}

// backupPath returns path. If path is empty, it returns the path of the newest manifest in the folder of the setting
// BACKUP_DIR.
func (c Config) backupPath(path string) (string, error) {
	if path != "" {
		return path, nil
	}
	if c.BackupDir == "" {
		return "", errors.New("name the manifest as an argument, or set LOCKBOX_BACKUP_DIR to verify the newest backup")
	}
	newest, err := backup.Newest(c.BackupDir, 1)
	if err != nil {
		return "", err
	}
	return newest[0], nil
}

// verifyIn restores the dump into an empty database and checks it.
func (c Config) verifyIn(ctx context.Context, database string, manifest backup.Manifest, dump *backup.Copy) (
	ports.SealedCounts, error) {
	dumper := backup.Dumper{Dirs: programDirs(ctx)}
	if err := dumper.Restore(ctx, database, manifest, dump); err != nil {
		return ports.SealedCounts{}, err
	}
	inspector, err := postgres.Inspect(ctx, database)
	if err != nil {
		return ports.SealedCounts{}, err
	}
	err = compareWith(ctx, inspector, manifest)
	inspector.Close()
	if err != nil {
		return ports.SealedCounts{}, err
	}
	return c.openRows(ctx, database)
}

// openRows opens the server's layer of every sealed row in a restored database. It first upgrades the schema, because
// the queries of this program need the newest schema.
func (c Config) openRows(ctx context.Context, database string) (ports.SealedCounts, error) {
	migrator, err := migrate.New(database, migrations.Files)
	if err != nil {
		return ports.SealedCounts{}, err
	}
	if err := migrator.Up(ctx); err != nil {
		return ports.SealedCounts{}, err
	}
	store, err := postgres.Open(ctx, postgres.Config{URL: database, Patient: bool(operating), Clock: system.Clock{}})
	if err != nil {
		return ports.SealedCounts{}, err
	}
	defer store.Close()
	keyring, err := sealing.OpenKeyring(ctx, c.keyringConfig(store.Read().ServerKeys))
	if err != nil {
		return ports.SealedCounts{}, err
	}
	derivations := kdf.New(kdf.Config{})
	defer derivations.Close()
	entries, err := sealing.NewEntrySealer(sealing.EntryConfig{Keys: keyring, Derive: derivations.Derive})
	if err != nil {
		return ports.SealedCounts{}, err
	}
	return serverkeys.New(serverkeys.Config{
		Store:   store,
		Keyring: keyring,
		Entries: entries,
		Account: sealing.NewAccountSealer(keyring, nil),
		Digests: sealing.NewTokenDigests(keyring),
		Clock:   system.Clock{},
		IDs:     system.IDs{},
	}).Verify(ctx)
}

// scratch is an empty database for one verification.
type scratch struct {
	url   string
	close func() error
}

// openScratch returns the scratch database at an address. If the address is "", openScratch starts a private server
// with such a database. It returns an error if the role in the address can access files or run programs on the machine
// of the database server.
func openScratch(ctx context.Context, address string, manifest backup.Manifest) (scratch, error) {
	stop := func() error { return nil }
	if address == "" {
		var err error
		if address, stop, err = startScratch(ctx); err != nil {
			return scratch{}, err
		}
	}
	address = withSearchPath(address, manifest.Schema)
	inspector, err := postgres.Inspect(ctx, address)
	if err != nil {
		return scratch{}, errors.Join(fmt.Errorf("cannot open the scratch database: %w", err), stop())
	}
	defer inspector.Close()
	err = errors.Join(inspector.RequireUnprivileged(ctx), inspector.RequireEmpty(ctx),
		requireMajor(ctx, inspector, manifest))
	if err != nil {
		return scratch{}, errors.Join(err, stop())
	}
	return scratch{address, func() error { return errors.Join(emptyScratch(address), stop()) }}, nil
}

// requireMajor returns an error if the PostgreSQL version of the scratch server is older than that of the backup,
// because PostgreSQL does not restore into an older version.
func requireMajor(ctx context.Context, inspector *postgres.Inspector, manifest backup.Manifest) error {
	major, err := inspector.Major(ctx)
	if err == nil && major < manifest.PostgreSQL {
		return fmt.Errorf("the backup is from PostgreSQL %[1]d, but the scratch server is PostgreSQL %[2]d: "+
			"install PostgreSQL %[1]d, or name a database on a server of that version with --scratch-url-file",
			manifest.PostgreSQL, major)
	}
	return err
}

// emptyScratch drops everything that a verification restored. It uses its own context, because the verification may
// have been cancelled.
func emptyScratch(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), postgres.LargeDeletion)
	defer cancel()
	inspector, err := postgres.Inspect(ctx, address)
	if err != nil {
		return err
	}
	defer inspector.Close()
	return inspector.Clear(ctx)
}

// withSearchPath adds the parameter search_path to the URL of a database. Sessions that connect with this URL use the
// given schema by default. withSearchPath returns the address unchanged if the schema is public or the address is not a
// URL.
func withSearchPath(address, schema string) string {
	if schema == "public" || !strings.Contains(address, "://") {
		return address
	}
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	quoted := `"` + strings.ReplaceAll(schema, `"`, `""`) + `"`
	return address + separator + "search_path=" + strings.ReplaceAll(url.QueryEscape(quoted), "+", "%20")
}

// keyringConfig returns the configuration of a key ring that stores its server keys in keys.
func (c Config) keyringConfig(keys ports.ServerKeys) sealing.KeyringConfig {
	return sealing.KeyringConfig{
		Store:    keys,
		Secret:   c.SecretKey,
		Previous: c.SecretKeyPrevious,
		IDs:      system.IDs{},
		Clock:    system.Clock{},
	}
}

// ReadScratchURL reads the address of a scratch database from a file. An address on the command line would expose the
// password in it to other users of the machine.
func ReadScratchURL(path string) (string, error) {
	content, err := readSetting(path)
	if err != nil {
		return "", err
	}
	return string(content), nil
}
