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

// CreateSecretFile creates the file at the path in LOCKBOX_SECRET_KEY_FILE and writes a new secret to it. If the file
// already exists, CreateSecretFile does nothing. If the database already has server keys, it returns an error. In that
// case, the secret that encrypts these keys is lost or not mounted, and a new secret could not decrypt them.
func CreateSecretFile(ctx context.Context, environ []string) error {
	const name = prefix + "SECRET_KEY" + fileSuffix
	// Read all settings except the secret, because the file with the secret may not exist yet.
	path, others := "", make([]string, 0, len(environ))
	for _, variable := range environ {
		if value, found := strings.CutPrefix(variable, name+"="); found {
			path = value
			continue
		}
		others = append(others, variable)
	}
	if path == "" {
		return fmt.Errorf("%s is not set: set it to the path of the file to create", name)
	}
	config, _, err := ReadEnvironment(others)
	if err != nil {
		return err
	}
	return createSecret(ctx, config, path)
}

// createSecret does the work of CreateSecretFile after the path and the settings are known.
func createSecret(ctx context.Context, config Config, path string) error {
	// Do not change an existing file. If the file is empty or unreadable, lockbox serve reports the problem.
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

// refuseKeys returns an error if the database has server keys.
func refuseKeys(ctx context.Context, store *postgres.Store, path string) error {
	has, err := store.HasServerKeys(ctx)
	if err == nil && has {
		return fmt.Errorf("the database already has server keys, but the secret that encrypts them is missing: "+
			"put the secret back into %s", path)
	}
	return err
}

// NewSecret returns a new secret for LOCKBOX_SECRET_KEY.
func NewSecret() string { return sealing.GenerateSecret(rand.Reader) }

// FirstRun creates three files that a Docker Compose installation keeps in a volume: a password for the database, a
// database URL that contains this password, and the token that POST /init requires. It leaves existing files unchanged.
// owner is a user id. If FirstRun runs as root, it makes this user the owner of the folder and of the files. Only the
// owner can read them.
func FirstRun(dir, databaseHost string, owner int) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil { //nolint:gosec // a folder needs the x bit
		return err // the folder of a new volume exists, and every user can read it
	}
	password, err := keepFile(filepath.Join(dir, "database-password"), randomText)
	if err != nil {
		return err
	}
	// The URL turns TLS off, because Compose connects the database and the server through a private network.
	url := "postgres://lockbox:" + password + "@" + databaseHost + "/lockbox?sslmode=disable"
	if _, err := keepFile(filepath.Join(dir, "database-url"), func() string { return url }); err != nil {
		return err
	}
	if _, err := keepFile(filepath.Join(dir, "init-token"), randomText); err != nil {
		return err
	}
	// Only root can change the owner of a file. If FirstRun does not run as root, the files belong to the current user.
	// In this case, the server runs as the same user and can read the files.
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

// keepFile returns the content of a file without the newline at its end. If the file is missing, keepFile creates it
// first.
func keepFile(path string, content func() string) (string, error) {
	if err := writeNewFile(path, content()+"\n"); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	kept, err := os.ReadFile(path) //nolint:gosec // the operator names the folder
	return strings.TrimSuffix(string(kept), "\n"), err
}

// writeNewFile creates a file. It returns fs.ErrExist if the file exists. If writeNewFile returns nil, the file
// survives a power failure. Without this guarantee, the server could encrypt data with a secret that a power failure
// then destroys.
func writeNewFile(path, content string) error {
	// The content is complete and on disk before the file gets its name.
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*") // with mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, writeErr := temporary.WriteString(content)
	if err := errors.Join(writeErr, temporary.Sync(), temporary.Close()); err != nil {
		return err
	}
	if err := os.Link(temporary.Name(), path); err != nil { // unlike os.Rename, it does not replace a file
		return err
	}
	// The file's name is on disk only after the folder is synced.
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// randomText returns 24 random bytes as 32 characters that are safe in a URL.
func randomText() string {
	var random [24]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand would end the program
	return base64.RawURLEncoding.EncodeToString(random[:])
}
