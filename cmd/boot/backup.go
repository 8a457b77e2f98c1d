package boot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/lockbox-go/lockbox/adapters/backup"
	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
)

// BackupReport describes a backup for the output of commands.
type BackupReport struct {
	// Manifest and Dump are the paths of the manifest and of the dump.
	Manifest, Dump string
	CreatedAt      time.Time
	Bytes          int64
	SchemaVersion  uint
	// Rows is the number of rows in all tables.
	Rows int64
}

// CreateBackup writes a backup of the configured database into a folder and returns its report. If dir is empty, the
// setting BACKUP_DIR names the folder. Servers may keep running, because the dump and the manifest describe one
// snapshot. If the configured secret cannot open the server keys, CreateBackup makes no backup and returns an error.
func CreateBackup(ctx context.Context, config Config, dir string) (BackupReport, error) {
	dir, err := config.backupDir(dir)
	if err != nil {
		return BackupReport{}, err
	}
	if err := config.checkStorage(); err != nil {
		return BackupReport{}, err
	}
	inspector, err := config.inspect(ctx)
	if err != nil {
		return BackupReport{}, err
	}
	defer inspector.Close()
	if _, _, err := sealing.CheckSecret(ctx, config.keyringConfig(inspector.ServerKeys())); err != nil {
		return BackupReport{}, fmt.Errorf("no backup was made, because the backup would be unusable: %w", err)
	}
	if err := backup.Prepare(dir); err != nil {
		return BackupReport{}, err
	}
	var manifest backup.Manifest
	now := system.Clock{}.Now()
	name := backup.Name(now)
	err = inspector.ExportSnapshot(ctx, func(snapshot string, inventory postgres.Inventory) error {
		manifest = describe(inventory)
		manifest.CreatedAt = now
		dumper := backup.Dumper{Dirs: programDirs(ctx)}
		return dumper.Dump(ctx, string(config.DatabaseURL.Bytes()), snapshot, dir, name, &manifest)
	})
	if err != nil {
		return BackupReport{}, err
	}
	path := backup.ManifestPath(dir, name)
	report := reportOf(path, manifest)
	if err := manifest.Write(path, sealing.NewManifestAuthenticator(config.SecretKey).Code); err != nil {
		return BackupReport{}, errors.Join(err, os.Remove(report.Dump)) // a dump without its manifest is no backup
	}
	return report, nil
}

// CheckRestored compares the configured database with the manifest of the backup from which the database was restored.
// It also checks that the configured secret opens the server keys of the database. Call it before a server starts on
// the database, because a server changes rows. CheckRestored writes nothing. The error lists all differences.
func CheckRestored(ctx context.Context, config Config, path string) (BackupReport, error) {
	if err := config.checkStorage(); err != nil {
		return BackupReport{}, err
	}
	manifest, _, err := config.readManifest(path)
	if err != nil {
		return BackupReport{}, err
	}
	inspector, err := config.inspect(ctx)
	if err != nil {
		return BackupReport{}, err
	}
	defer inspector.Close()
	if err := compareWith(ctx, inspector, manifest); err != nil {
		return BackupReport{}, err
	}
	if _, _, err := sealing.CheckSecret(ctx, config.keyringConfig(inspector.ServerKeys())); err != nil {
		return BackupReport{}, err
	}
	return reportOf(path, manifest), nil
}

// compareWith returns an error that lists the differences between a database and a manifest, or nil if there are no
// differences.
func compareWith(ctx context.Context, inspector *postgres.Inspector, manifest backup.Manifest) error {
	inventory, err := inspector.Inventory(ctx)
	if err != nil {
		return err
	}
	differences := manifest.Compare(describe(inventory))
	if len(differences) == 0 {
		return nil
	}
	list := make([]error, len(differences))
	for i, difference := range differences {
		list[i] = errors.New(difference)
	}
	return fmt.Errorf("the database differs from the backup:\n%w", errors.Join(list...))
}

// describe returns a manifest that describes the database. The fields about the dump are empty.
func describe(inventory postgres.Inventory) backup.Manifest {
	manifest := backup.Manifest{
		Lockbox:       Version(),
		PostgreSQL:    inventory.Major,
		Installation:  inventory.Installation,
		Schema:        inventory.Schema,
		SchemaVersion: inventory.Version,
	}
	for _, key := range inventory.Keys {
		manifest.ServerKeys = append(manifest.ServerKeys, backup.Key{
			ID:         key.ID.String(),
			Purpose:    string(key.Purpose),
			Generation: key.Generation,
		})
	}
	for _, table := range inventory.Tables {
		manifest.Tables = append(manifest.Tables, backup.Table(table))
	}
	return manifest
}

// reportOf returns the report of the backup whose manifest is at path.
func reportOf(path string, manifest backup.Manifest) BackupReport {
	report := BackupReport{
		Manifest:      path,
		Dump:          filepath.Join(filepath.Dir(path), manifest.File),
		CreatedAt:     manifest.CreatedAt,
		Bytes:         manifest.Bytes,
		SchemaVersion: manifest.SchemaVersion,
	}
	for _, table := range manifest.Tables {
		report.Rows += table.Rows
	}
	return report
}

// backupDir returns the folder of backups: dir, or the setting if dir is empty.
func (c Config) backupDir(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	if c.BackupDir == "" {
		return "", errors.New("name the folder of the backups as an argument, or set LOCKBOX_BACKUP_DIR")
	}
	return c.BackupDir, nil
}

// readManifest reads a manifest and authenticates it with the current secret, or else with the previous one. It also
// returns the authenticator that accepted the manifest.
func (c Config) readManifest(path string) (backup.Manifest, *sealing.ManifestAuthenticator, error) {
	authenticator := sealing.NewManifestAuthenticator(c.SecretKey)
	manifest, err := backup.Read(path, authenticator.Authentic)
	if errors.Is(err, backup.ErrNotAuthentic) && !c.SecretKeyPrevious.IsZero() {
		authenticator = sealing.NewManifestAuthenticator(c.SecretKeyPrevious)
		manifest, err = backup.Read(path, authenticator.Authentic)
	}
	return manifest, authenticator, err
}

// inspect opens a connection to the configured database. The backup commands use this connection to examine the
// database.
func (c Config) inspect(ctx context.Context) (*postgres.Inspector, error) {
	inspector, err := postgres.Inspect(ctx, string(c.DatabaseURL.Bytes()))
	if err != nil {
		return nil, fmt.Errorf("cannot open the database of LOCKBOX_DATABASE_URL: %w", err)
	}
	return inspector, nil
}
