package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Inventory describes the content of a database. A restored backup is complete if its inventory equals the inventory of
// the original database. An inventory contains no secret and no name of a user, a box or an entry.
type Inventory struct {
	// Major is the major version of PostgreSQL.
	Major int
	// Schema is the name of the database schema that contains Lockbox's tables. Version is the number of the last
	// migration of these tables.
	Schema  string
	Version uint
	// Installation is the identifier of the installation.
	Installation string
	// Tables are the tables of all schemas, except the tables of PostgreSQL itself and of extensions.
	Tables []TableContent
	Keys   []ports.ServerKey
}

// TableContent describes the rows of a table.
type TableContent struct {
	// Name has the form schema.table.
	Name string
	Rows int64
	// Checksum is a sum over the rows, and does not depend on their order. It detects accidental changes, but not
	// changes by an attacker.
	Checksum string
}

var errNoInstallation = errors.New("the database has no Lockbox data: check LOCKBOX_DATABASE_URL")

// Inventory reads the whole database in one snapshot. For a database without Lockbox's tables it returns an error.
func (i *Inspector) Inventory(ctx context.Context) (Inventory, error) {
	var inventory Inventory
	err := i.snapshot(ctx, func(tx pgx.Tx) (err error) {
		inventory, err = takeInventory(ctx, tx)
		return err
	})
	return inventory, err
}

// ExportSnapshot takes a snapshot of the database. It calls the function in the argument use, with the name and the
// inventory of the snapshot. The function can pass the name to pg_dump --snapshot, which then reads the same snapshot.
// The snapshot ends when the function returns.
func (i *Inspector) ExportSnapshot(ctx context.Context, use func(name string, inventory Inventory) error) error {
	return i.snapshot(ctx, func(tx pgx.Tx) error {
		var name string
		if err := tx.QueryRow(ctx, `SELECT pg_export_snapshot()`).Scan(&name); err != nil {
			return err
		}
		inventory, err := takeInventory(ctx, tx)
		if err != nil {
			return err
		}
		return use(name, inventory)
	})
}

// snapshot begins a read-only transaction, and calls the function in the argument use. The transaction has no time
// limits. It sets the parameters that determine the text form of values, because the checksums depend on this form. All
// settings end with the transaction, so they do not affect other clients of a pooler.
func (i *Inspector) snapshot(ctx context.Context, use func(pgx.Tx) error) error {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	return pgx.BeginTxFunc(ctx, i.conn, options, func(tx pgx.Tx) error {
		for _, setting := range []string{"statement_timeout = 0", "idle_in_transaction_session_timeout = 0",
			"timezone = 'UTC'", "datestyle = 'ISO'", "bytea_output = 'hex'", "extra_float_digits = 1"} {
			if _, err := tx.Exec(ctx, "SET LOCAL "+setting); err != nil {
				return err
			}
		}
		return use(tx)
	})
}

// takeInventory reads the content of the database in the snapshot of tx.
func takeInventory(ctx context.Context, tx pgx.Tx) (Inventory, error) {
	var in Inventory
	var has bool
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000, coalesce(current_schema(), ''),
		to_regclass('system') IS NOT NULL AND to_regclass('schema_migrations') IS NOT NULL`).Scan(&in.Major, &in.Schema,
		&has)
	if err != nil {
		return in, err
	}
	if !has {
		return in, errNoInstallation
	}
	var version int64
	var installation [16]byte
	err = tx.QueryRow(ctx, `SELECT (SELECT version FROM schema_migrations), installation_id FROM system`).Scan(&version,
		&installation)
	if errors.Is(err, pgx.ErrNoRows) {
		return in, errNoInstallation
	}
	if err != nil {
		return in, err
	}
	in.Version, in.Installation = uint(unsigned(version)), domain.ID[system](installation).String()
	if in.Keys, err = (serverKeys{tx}).List(ctx); err != nil {
		return in, err
	}
	in.Tables, err = countTables(ctx, tx)
	return in, err
}

// countTables returns the number of rows and the checksum of each table.
func countTables(ctx context.Context, tx pgx.Tx) ([]TableContent, error) {
	names, err := tableNames(ctx, tx)
	if err != nil {
		return nil, err
	}
	tables := make([]TableContent, len(names))
	for i, name := range names {
		tables[i].Name = name[0] + "." + name[1]
		err := tx.QueryRow(ctx, `SELECT count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text FROM `+
			name.Sanitize()+` t`).Scan(&tables[i].Rows, &tables[i].Checksum)
		if err != nil {
			return nil, fmt.Errorf("count the rows of %s: %w", tables[i].Name, err)
		}
	}
	return tables, nil
}

// RequireEmpty returns an error if the database has a table, or anything else that Clear would drop. A command calls
// RequireEmpty before it writes to the database, because the database could be in use.
func (i *Inspector) RequireEmpty(ctx context.Context) error {
	names, err := tableNames(ctx, i.conn)
	if err == nil && len(names) > 0 {
		return fmt.Errorf("the scratch database must be empty, but it has the table %s", strings.Join(names[0], "."))
	}
	if err != nil {
		return err
	}
	owned, err := i.owned(ctx)
	if err == nil && len(owned) > 0 {
		return fmt.Errorf("the scratch database must be empty, but it has the %s", owned[0])
	}
	return err
}

// Clear drops everything that belongs to the session's role, except the schema public. The caller must have called
// RequireEmpty before it filled the database.
func (i *Inspector) Clear(ctx context.Context) error {
	owned, err := i.owned(ctx)
	if err != nil {
		return err
	}
	for _, object := range owned {
		if _, err := i.conn.Exec(ctx, "DROP "+object.kind+" IF EXISTS "+object.identity+" CASCADE"); err != nil {
			return fmt.Errorf("drop the %s: %w", object, err)
		}
	}
	return nil
}

// object identifies a table, a function or another object of a database.
type object struct {
	kind     string // as in DROP
	identity string // quoted as SQL needs it, with the schema and the types of arguments
}

func (o object) String() string { return o.kind + " " + o.identity }

// owned returns the objects of the database that belong to the session's role, except the schema public. Tables come
// first, and schemas come last.
func (i *Inspector) owned(ctx context.Context) ([]object, error) {
	rows, err := i.conn.Query(ctx, `SELECT CASE o.type WHEN 'composite type' THEN 'type'
			WHEN 'statistics object' THEN 'statistics' ELSE o.type END, o.identity
		FROM pg_shdepend d, pg_identify_object(d.classid, d.objid, d.objsubid) o
		WHERE d.dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND d.deptype = 'o'
			AND d.refclassid = 'pg_authid'::regclass
			AND d.refobjid = (SELECT oid FROM pg_roles WHERE rolname = session_user)
			AND NOT (o.type = 'schema' AND o.identity = 'public') AND o.identity !~ '^pg_toast'
		ORDER BY o.type = 'table' DESC, o.type = 'schema', 1, 2`)
	return collect(rows, err, func(row pgx.CollectableRow) (object, error) {
		var found object
		err := row.Scan(&found.kind, &found.identity)
		return found, err
	})
}

// tableNames returns the names of all ordinary tables that pg_dump would dump. Each name has two parts, the schema and
// the table.
func tableNames(ctx context.Context, q querier) ([]pgx.Identifier, error) {
	rows, err := q.Query(ctx, `SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS
		(SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
		ORDER BY 1, 2`)
	return collect(rows, err, func(row pgx.CollectableRow) (pgx.Identifier, error) {
		var schema, table string
		err := row.Scan(&schema, &table)
		return pgx.Identifier{schema, table}, err
	})
}
