package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/golang-migrate/migrate/v4/database"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	// errMoved: between reading the version and taking its row, another program made a step.
	errMoved = errors.New("another program is migrating the database at the same time")
	// errNoVersion: nothing was ever migrated here.
	errNoVersion = errors.New("the database has no version")
)

const (
	// commitTimeout bounds a COMMIT, which nothing else may cut short.
	commitTimeout = time.Minute
	// rollbackTimeout bounds what is only courtesy: a closed connection rolls back too.
	rollbackTimeout = 5 * time.Second
)

// migrationDriver is golang-migrate's view of the database. What that calls is, for each step: SetVersion(to, dirty),
// Run, SetVersion(to, clean), and whatever happened Unlock. The drivers that come with it commit the dirty mark, so
// that a program that dies between leaves a database that nobody may touch; and they hold an advisory lock, which
// poolers and other engines do not keep. Here the mark is the UPDATE that begins the transaction of the step: it waits
// for whoever holds the row, finds no row if that one moved the version, and goes the way of the step itself.
type migrationDriver struct {
	ctx   context.Context // golang-migrate hands none on
	conn  *pgx.Conn
	table string // with its schema: a table of that name in a later schema of the path is another installation's
	at    uint   // the version that load last saw
	tx    pgx.Tx
	fault error // why the step cannot be; Run reports it

	committing bool
	warning    *pgconn.Notice // what the server had to say of the COMMIT
}

var _ database.Driver = (*migrationDriver)(nil)

// prepare finds the schema. It also has the server look after its client while a statement runs: the step of a killed
// program would otherwise hold the version's row until the statement ends.
func (d *migrationDriver) prepare() error {
	_, err := d.conn.Exec(d.ctx, "SET client_connection_check_interval = '1s'")
	if _, refused := errors.AsType[*pgconn.PgError](err); err != nil && !refused {
		return err // a refusal is fine: not every platform can
	}
	var schema *string
	if err := d.conn.QueryRow(d.ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return err
	}
	if schema == nil {
		return errors.New("no schema of the search_path exists: create the one that the database URL names")
	}
	d.table = pgx.Identifier{*schema, "schema_migrations"}.Sanitize()
	return nil
}

// load reads the version; errNoVersion comes with zero.
func (d *migrationDriver) load() (uint, error) {
	d.at = 0
	err := d.conn.QueryRow(d.ctx, "SELECT version FROM "+d.table+" WHERE id = 1").Scan(&d.at)
	const undefinedTable, undefinedColumn = "42P01", "42703"
	switch code := sqlState(err); {
	case errors.Is(err, pgx.ErrNoRows), code == undefinedTable:
		return 0, errNoVersion
	case code == undefinedColumn:
		return 0, fmt.Errorf("%s is not Lockbox's: give Lockbox a schema or a database of its own: %w", d.table, err)
	case err != nil:
		return 0, fmt.Errorf("read the schema's version: %w", err)
	}
	return d.at, nil
}

// loadOrCreate makes the version's row first if need be. IF NOT EXISTS looks before it leaps: of several programs at
// once all but one may fail on the catalog's own keys, and find the table when they look again.
func (d *migrationDriver) loadOrCreate() (uint, error) {
	for tries := 0; ; tries++ {
		at, err := d.load()
		if !errors.Is(err, errNoVersion) {
			return at, err
		}
		// One query, so one transaction: no table without its row.
		create := "CREATE TABLE IF NOT EXISTS " + d.table + ` (
			id      smallint PRIMARY KEY CHECK (id = 1),
			version bigint NOT NULL CHECK (version >= 0)
		); INSERT INTO ` + d.table + " (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING"
		_, err = d.conn.PgConn().Exec(d.ctx, create).ReadAll()
		switch sqlState(err) {
		// taken, by a name or a key; lost a race
		case uniqueViolation, "42P07", "42710", serializationFailure, deadlockDetected, "XX000":
			if tries < 10 {
				continue
			}
		}
		if err != nil {
			return 0, fmt.Errorf("create %s: %w", d.table, err)
		}
	}
}

// Version is what load saw: what is decided on it must be what the transaction begins with.
func (d *migrationDriver) Version() (version int, dirty bool, err error) {
	if d.at == 0 {
		return database.NilVersion, false, nil
	}
	return int(d.at), false, nil
}

// SetVersion begins the step's transaction when dirty, and commits it when not.
func (d *migrationDriver) SetVersion(version int, dirty bool) error {
	if dirty {
		// Run reports the failure: golang-migrate leaks the goroutine that feeds Run if Run is never called.
		d.fault = d.begin(max(version, 0))
		return nil
	}
	if d.fault != nil {
		return d.fault
	}
	return d.commit()
}

func (d *migrationDriver) begin(to int) error {
	// Whatever the database's default is: under REPEATABLE READ the UPDATE would fail where it should find no row.
	tx, err := d.conn.BeginTx(d.ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return err
	}
	d.tx = tx
	// The limits that a role may have are meant for requests. A step takes its time, and so does waiting for one.
	const unlimited = `SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN
		('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`
	if _, err := tx.Exec(d.ctx, unlimited); err != nil {
		return err
	}
	tag, err := tx.Exec(d.ctx, "UPDATE "+d.table+" SET version = $1 WHERE id = 1 AND version = $2", to, d.at)
	if err != nil {
		return orMoved(err)
	}
	if tag.RowsAffected() == 0 {
		return errMoved
	}
	return nil
}

// Run makes the step.
func (d *migrationDriver) Run(migration io.Reader) error {
	text, err := io.ReadAll(migration)
	if d.fault != nil || err != nil {
		return errors.Join(d.fault, err)
	}
	// The simple protocol takes many statements at once.
	if _, err := d.conn.PgConn().Exec(d.ctx, string(text)).ReadAll(); err != nil {
		return orMoved(located(err, string(text)))
	}
	if d.conn.PgConn().TxStatus() != 'T' {
		return errors.New("the migration ended its own transaction: it must not COMMIT or ROLLBACK")
	}
	return nil
}

// commit runs apart from the caller's context: pgx would end the session in the middle, and nobody would know the
// outcome.
func (d *migrationDriver) commit() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), commitTimeout)
	defer cancel()
	d.committing, d.warning = true, nil
	err := d.tx.Commit(ctx)
	d.committing = false
	if err != nil {
		return orMoved(fmt.Errorf("commit: %w", err))
	}
	d.tx = nil
	if d.warning != nil {
		// An administrator cut short the wait for the standby: committed here, and perhaps nowhere else.
		return fmt.Errorf("committed, but not surely replicated: %s", d.warning.Message)
	}
	return nil
}

func (d *migrationDriver) notice(_ *pgconn.PgConn, notice *pgconn.Notice) {
	if d.committing && notice.SeverityUnlocalized == "WARNING" {
		d.warning = notice
	}
}

// Lock does nothing: the version's row is the lock.
func (d *migrationDriver) Lock() error { return nil }

// Unlock ends what a failed step has left open.
func (d *migrationDriver) Unlock() error {
	tx := d.tx
	d.tx, d.fault = nil, nil
	if tx == nil || d.conn.IsClosed() {
		return nil // closed, it has rolled back
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), rollbackTimeout)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		return err
	}
	return nil
}

// Open is for golang-migrate's registry of drivers, which this one is not in.
func (d *migrationDriver) Open(string) (database.Driver, error) {
	return nil, errors.New("the migration driver is not opened by URL")
}

// Close leaves the connection to whoever opened it.
func (d *migrationDriver) Close() error { return nil }

// Drop is refused: nothing in Lockbox deletes a whole database.
func (d *migrationDriver) Drop() error { return errors.New("dropping a database is not supported") }

// orMoved adds that the step is worth another look, where the server ended it for the sake of another transaction.
func orMoved(err error) error {
	if isSerializationFailure(err) {
		return errors.Join(err, errMoved)
	}
	return err
}

// located adds the line of the migration's file.
func located(err error, text string) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || refused.Position < 1 || int(refused.Position) > len(text)+1 {
		return err
	}
	// The position counts characters.
	before := []rune(text)
	before = before[:min(int(refused.Position)-1, len(before))]
	return fmt.Errorf("line %d: %w", 1+strings.Count(string(before), "\n"), err)
}
