package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/ports"
)

// Inspector is one connection on which an operator's command examines a whole database. It sets no parameters of the
// session, so it also works through a pooler. Its statements have no time limit, unlike the statements of a Store. It
// is not safe for concurrent use.
type Inspector struct {
	conn *pgx.Conn
}

// Inspect opens a connection. It tries each host once, for at most connect.Timeout. It returns the driver's error,
// which names the reason and contains no password.
func Inspect(ctx context.Context, url string) (*Inspector, error) {
	config, err := connect.ParseURL(url)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = "lockbox inspection"
	// Prepared statements do not work through a pooler in transaction mode.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	return &Inspector{conn}, nil
}

// Major returns the major version of PostgreSQL.
func (i *Inspector) Major(ctx context.Context) (major int, err error) {
	err = i.conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000`).Scan(&major)
	return major, err
}

// Close closes the connection. It takes no context, because it must work even if the context of the command has ended.
func (i *Inspector) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), connect.Timeout)
	defer cancel()
	_ = i.conn.Close(ctx) // an error here loses nothing
}

// ServerKeys returns the repository of the server keys. The caller must use only the methods that read.
func (i *Inspector) ServerKeys() ports.ServerKeys { return serverKeys{i.conn} }

// RequireUnprivileged returns an error if the session's role can read or write files on the server's machine, or run
// programs there. The rights of a role include the rights of the roles of which it is a member. The check is necessary
// because functions in a restored dump run with the rights of the session's role. RequireUnprivileged also refuses a
// role with the attribute CREATEROLE. Before PostgreSQL 16, such a role can grant itself the predefined roles in the
// query below.
func (i *Inspector) RequireUnprivileged(ctx context.Context) error {
	var role, reason string
	err := i.conn.QueryRow(ctx, `SELECT session_user, coalesce((SELECT CASE
			WHEN rolsuper THEN 'superuser rights' WHEN rolcreaterole THEN 'the attribute CREATEROLE'
			ELSE 'the rights of ' || rolname END
		FROM pg_roles WHERE pg_has_role(session_user, oid, 'MEMBER') AND (rolsuper OR rolcreaterole OR rolname IN
			('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'))
		ORDER BY rolsuper DESC, rolcreaterole DESC, rolname LIMIT 1), '')`).Scan(&role, &reason)
	if err == nil && reason != "" {
		return fmt.Errorf("the role %s of the scratch database has %s, which SQL in a backup could misuse: "+
			"for the scratch database, create a new role with CREATE ROLE name LOGIN", role, reason)
	}
	return err
}
