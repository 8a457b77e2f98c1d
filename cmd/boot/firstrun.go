package boot

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
)

// CreateSecretFile makes the secret in the file that LOCKBOX_SECRET_KEY_FILE names, if the file is missing. It refuses
// where the database has keys already: they are wrapped under a secret that somebody has lost or forgotten to mount,
// and a new one would open none of them.
func CreateSecretFile(ctx context.Context, environ []string) error {
	const name = prefix + "SECRET_KEY" + fileSuffix
	path, others := "", make([]string, 0, len(environ))
	for _, variable := range environ {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			path = value
			continue
		}
		others = append(others, variable)
	}
	if path == "" {
		return fmt.Errorf("%s is not set: it must name the file to make", name)
	}
	config, _, err := ReadEnvironment(others)
	if err != nil {
		return err
	}
	return makeSecret(ctx, config, path)
}

// makeSecret is CreateSecretFile for a known file and database.
func makeSecret(ctx context.Context, config Config, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	store, err := openStore(ctx, config, NewLog(config, os.Stderr), storeOptions{patience: serving})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := refuseKeys(ctx, store, path); err != nil {
		return err
	}
	return writeNewFile(path, NewSecret()+"\n")
}

func refuseKeys(ctx context.Context, store *postgres.Store, path string) error {
	has, err := store.HasServerKeys(ctx)
	if err == nil && has {
		return fmt.Errorf("the database has keys already, but the secret that opens them is missing: put it back "+
			"into %s", path)
	}
	return err
}

// NewSecret returns a secret for LOCKBOX_SECRET_KEY.
func NewSecret() string { return sealing.GenerateSecret(rand.Reader) }

// FirstRun makes the files that the compose installation keeps in a volume, where they are missing: a password for the
// database with the URL that holds it, and the token that POST /init wants. Files and folder become readable for owner
// (a user id) alone; as another user than root it leaves them with whoever runs it.
func FirstRun(dir, databaseHost string, owner int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder needs its x
		return err // a new volume is there already, and open to all
	}
	password, err := keepFile(filepath.Join(dir, "database-password"), randomText)
	if err != nil {
		return err
	}
	url := "postgres://lockbox:" + password + "@" + databaseHost + "/lockbox?sslmode=disable"
	if _, err := keepFile(filepath.Join(dir, "database-url"), func() string { return url }); err != nil {
		return err
	}
	if _, err := keepFile(filepath.Join(dir, "init-token"), randomText); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return nil
	}
	for _, name := range []string{"", "database-password", "database-url", "init-token"} {
		if err := os.Lchown(filepath.Join(dir, name), owner, owner); err != nil {
			return err
		}
	}
	return nil
}

// keepFile returns what is in a file, without the newline at its end, having made it first if it is missing.
func keepFile(path string, content func() string) (string, error) {
	if err := writeNewFile(path, content()+"\n"); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	kept, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	return strings.TrimSuffix(string(kept), "\n"), err
}

// writeNewFile makes a file that was not there, and returns only once it would survive a loss of power: what is
// encrypted under a secret must not outlive it.
func writeNewFile(path, content string) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, writeErr := temporary.WriteString(content)
	if err := errors.Join(writeErr, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil { // unlike a rename it replaces nothing
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func randomText() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand ends the program rather
	return base64.RawURLEncoding.EncodeToString(random[:])
}
