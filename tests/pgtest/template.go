package pgtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockbox-go/lockbox/adapters/postgres/migrate"
	"github.com/lockbox-go/lockbox/migrations"
)

// template returns the name of the template database, and creates it if it does not exist. The name contains a digest
// of the migrations. A template that an earlier run left on the server is therefore never used with other migrations.
func template(ctx context.Context, admin string) (string, error) {
	digest, err := digestOf(migrations.Files)
	if err != nil {
		return "", err
	}
	return makeTemplate(ctx, admin, "lockbox_template_"+digest)
}

// makeTemplate creates a template database unless it exists. Several test binaries may call it concurrently. Each of
// them creates a draft under a random name, and renames the draft to the name of the template. Only the first rename
// succeeds. The others drop their drafts.
func makeTemplate(ctx context.Context, admin, name string) (string, error) {
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var found bool
	const exists = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"
	if err := conn.QueryRow(ctx, exists, name).Scan(&found); err != nil || found {
		return name, err
	}
	draft := "lockbox_draft_" + randomHex()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+draft+" TEMPLATE template0"); err != nil {
		return "", fmt.Errorf("create a database: %w", err)
	}
	err = fill(ctx, admin, draft)
	if err == nil {
		// The first connection after a migration writes the catalog cache file pg_internal.init. Databases that are
		// copied from the template contain this file too. Without the file, the first connection to such a database
		// would be slower.
		err = connectOnce(ctx, admin, draft)
	}
	if err == nil {
		// PostgreSQL refuses to copy a database while a session is connected to it. Therefore forbid connections.
		_, err = conn.Exec(ctx, "ALTER DATABASE "+draft+" WITH ALLOW_CONNECTIONS false")
	}
	if err == nil {
		_, err = conn.Exec(ctx, "ALTER DATABASE "+draft+" RENAME TO "+name)
	}
	if err == nil {
		return name, nil
	}
	_, dropped := conn.Exec(ctx, "DROP DATABASE "+draft+" WITH (FORCE)")
	const duplicateDatabase, uniqueViolation = "42P04", "23505"
	if lost, ok := errors.AsType[*pgconn.PgError](err); ok &&
		(lost.Code == duplicateDatabase || lost.Code == uniqueViolation) {
		return name, dropped
	}
	return "", errors.Join(err, dropped)
}

// fill migrates a database to the newest schema.
func fill(ctx context.Context, admin, name string) error {
	own, err := withDatabase(admin, name)
	if err != nil {
		return err
	}
	migrator, err := migrate.New(own, migrations.Files)
	if err != nil {
		return err
	}
	return migrator.Up(ctx)
}

// connectOnce opens and closes a connection to a database.
func connectOnce(ctx context.Context, admin, name string) error {
	own, err := withDatabase(admin, name)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, own)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// digestOf returns a short digest of the paths and contents of files.
func digestOf(files fs.FS) (string, error) {
	digest := sha256.New()
	err := fs.WalkDir(files, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		_, _ = fmt.Fprintf(digest, "%s %d\n%s", path, len(text), text)
		return err
	})
	return hex.EncodeToString(digest.Sum(nil)[:8]), err
}
