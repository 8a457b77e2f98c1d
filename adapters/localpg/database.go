package localpg

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// EnsureDatabase creates a database unless it exists.
func (s *Server) EnsureDatabase(ctx context.Context, name string) error {
	// The database postgres always exists.
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	return createDatabase(ctx, conn, name, superuser)
}

// UnprivilegedDatabase creates a database that the role Unprivileged owns, unless the database exists. It returns a URL
// that connects to the database as this role. The role has no attribute except LOGIN and is a member of no other role.
// SQL under this role can change the database, but it cannot read files or run programs.
//
// Use the database for SQL that is not trusted. After such SQL has run, never connect to the database as the superuser.
// Functions, defaults and checks in the database would run with the rights of the superuser.
func (s *Server) UnprivilegedDatabase(ctx context.Context, name string) (address string, err error) {
	conn, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	const duplicateObject = "42710"
	_, err = conn.Exec(ctx, "CREATE ROLE "+Unprivileged+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION")
	if err != nil && !hasCode(err, duplicateObject) {
		return "", err
	}
	return s.urlOf(Unprivileged, name), createDatabase(ctx, conn, name, Unprivileged)
}

// createDatabase creates a database with an owner. It does nothing if the database exists.
func createDatabase(ctx context.Context, conn *pgx.Conn, name, owner string) error {
	const duplicateDatabase = "42P04"
	_, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()+" OWNER "+owner)
	if hasCode(err, duplicateDatabase) {
		return nil
	}
	return err
}

// hasCode reports whether an error is a response of the server with the given SQLSTATE.
func hasCode(err error, code string) bool {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	return ok && refused.Code == code
}
