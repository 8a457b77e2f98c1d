package migrate

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

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
)

var (
	// errConflict means that another program applied a step after this program had read the version.
	errConflict = errors.New("another program is migrating the database at the same time")
	// errNoVersion means that the database has never been migrated.
	errNoVersion = errors.New("the database has no version")
	// errLocked means that a lock that the step needs was not free within lockTimeout.
	errLocked = errors.New("another transaction locks a table that the migration changes: " +
		"wait until the other transaction ends, or terminate it, then migrate again")
	// errEnded means that a part of the step may be committed without the rest of the step.
	errEnded = errors.New("the migration ended its own transaction: it must not COMMIT or ROLLBACK")
)

// stepSavepoint is a savepoint in the transaction of a step. If it no longer exists, the step has ended its
// transaction.
const stepSavepoint = "lockbox_step"

const (
	// commitTimeout bounds a COMMIT, because the method commit ignores the cancellation of the caller's context.
	commitTimeout = time.Minute
	// rollbackTimeout bounds a ROLLBACK. This limit can be short: if the ROLLBACK takes longer, the server rolls back
	// when the connection closes.
	rollbackTimeout = 5 * time.Second
	// lockTimeout bounds the wait of a step for a lock on a table. While a step waits, all other statements that need
	// the table have to wait behind the step. A step therefore gives up soon and is tried again later.
	lockTimeout = time.Second
	// maxCreateRetries bounds how often loadOrCreate retries after a conflict with a concurrent
	// program.
	maxCreateRetries = 10
)

// driver gives golang-migrate access to the database. For each step, golang-migrate calls SetVersion(to, dirty), Run
// and SetVersion(to, clean). It always calls Unlock afterwards, even after an error.
//
// The drivers that come with golang-migrate commit the mark "dirty" before they run the step. With those drivers, the
// database needs manual repair if the program dies during the step. They also hold an advisory lock, but some poolers
// and other engines do not support advisory locks. This driver instead begins the step's transaction with an UPDATE of
// the version row. The UPDATE waits for a concurrent migrator that has locked the row. If that migrator has changed the
// version, the UPDATE matches no row. The UPDATE commits or rolls back together with the step.
type driver struct {
	ctx   context.Context // golang-migrate passes no context
	conn  *pgx.Conn
	table string // with its schema, because a later schema of the search_path may have a table of that name
	at    uint   // the version that load read last
	tx    pgx.Tx
	fault error // why the step cannot run; Run returns it

	committing bool
	warning    *pgconn.Notice // the warning of the last COMMIT
}

var _ database.Driver = (*driver)(nil)

// prepare finds the schema for Lockbox's tables. The schema may still be empty.
func (d *driver) prepare() error {
	var schema *string
	if err := d.conn.QueryRow(d.ctx, "SELECT current_schema()").Scan(&schema); err != nil {
		return err
	}
	if schema == nil {
		return errors.New("the search_path contains no schema that exists: " +
			"create the schema, or correct the search_path")
	}
	d.table = pgx.Identifier{*schema, "schema_migrations"}.Sanitize()
	return nil
}

// load reads the version. It returns errNoVersion if the database has never been migrated.
func (d *driver) load() (uint, error) {
	d.at = 0
	err := d.conn.QueryRow(d.ctx, "SELECT version FROM "+d.table+" WHERE id = 1").Scan(&d.at)
	switch code := sqlstate.Of(err); {
	case errors.Is(err, pgx.ErrNoRows), code == sqlstate.UndefinedTable:
		return 0, errNoVersion
	case code == sqlstate.UndefinedColumn:
		return 0, fmt.Errorf("the table %s does not belong to Lockbox: "+
			"use a separate schema or database for Lockbox: %w", d.table, err)
	case err != nil:
		return 0, fmt.Errorf("read the schema version: %w", err)
	}
	return d.at, nil
}

// loadOrCreate is like load, but creates the version row if there is none. If several programs run CREATE TABLE IF NOT
// EXISTS concurrently, all but one may fail with a unique violation in the system catalog. loadOrCreate then tries
// again, and finds the table.
func (d *driver) loadOrCreate() (uint, error) {
	for tries := 0; ; tries++ {
		at, err := d.load()
		if !errors.Is(err, errNoVersion) {
			return at, err
		}
		// The server runs both statements of one query in one transaction, so the table never exists without its row.
		create := "CREATE TABLE IF NOT EXISTS " + d.table + ` (
			id      smallint PRIMARY KEY CHECK (id = 1),
			version bigint NOT NULL CHECK (version >= 0)
		); INSERT INTO ` + d.table + " (id, version) VALUES (1, 0) ON CONFLICT DO NOTHING"
		_, err = d.conn.PgConn().Exec(d.ctx, create).ReadAll()
		switch sqlstate.Of(err) {
		case sqlstate.UniqueViolation, sqlstate.DuplicateTable, sqlstate.DuplicateObject, sqlstate.SerializationFailure,
			sqlstate.DeadlockDetected, sqlstate.InternalError: // "tuple concurrently updated"
			if tries < maxCreateRetries {
				continue
			}
		}
		if err != nil {
			return 0, fmt.Errorf("create %s: %w", d.table, err)
		}
	}
}

// Version returns the version that the last call of load has read. Later, the method begin checks that the version is
// still the same.
func (d *driver) Version() (version int, dirty bool, err error) {
	if d.at == 0 {
		return database.NilVersion, false, nil
	}
	return int(d.at), false, nil
}

// SetVersion begins the transaction of the step if dirty is true. Otherwise it commits the transaction.
func (d *driver) SetVersion(version int, dirty bool) error {
	if dirty {
		// Run returns the error later. If SetVersion returned the error, golang-migrate would not call Run, and would
		// leak the goroutine that writes the migration to Run.
		d.fault = d.begin(max(version, 0))
		return nil
	}
	if d.fault != nil {
		return d.fault
	}
	return d.commit()
}

// begin starts the transaction of a step and sets the version to the given number. It returns errConflict if another
// program has changed the version after load had read it.
func (d *driver) begin(to int) error {
	// The isolation level is explicit, because the database may have a stricter default. Under READ COMMITTED, the
	// UPDATE matches no row after a conflict. Under REPEATABLE READ, it would return an error instead.
	tx, err := d.conn.BeginTx(d.ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return err
	}
	d.tx = tx
	// The timeouts of the role are meant for requests. A step, or the wait for the step of another program, may take
	// longer.
	const unlimited = `SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN
		('statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`
	if _, err := tx.Exec(d.ctx, unlimited); err != nil {
		return err
	}
	if err := d.checkConnection(); err != nil {
		return err
	}
	tag, err := tx.Exec(d.ctx, "UPDATE "+d.table+" SET version = $1 WHERE id = 1 AND version = $2", to, d.at)
	if err != nil {
		return orConflict(err)
	}
	if tag.RowsAffected() == 0 {
		return errConflict
	}
	// lockTimeout must not apply to the UPDATE above, which may have to wait for the step of another program. That wait
	// does not delay any request.
	_, err = tx.Exec(d.ctx, fmt.Sprintf("SET LOCAL lock_timeout = %d", lockTimeout.Milliseconds()))
	return err
}

// checkConnection makes the server check the client connection while a statement of the transaction runs. Without this
// check, a statement would continue after its program was killed, and the version row would stay locked until the
// statement ends. Not every platform supports the setting, so checkConnection ignores an error of the server.
func (d *driver) checkConnection() error {
	if _, err := d.tx.Exec(d.ctx, "SAVEPOINT "+stepSavepoint); err != nil {
		return err
	}
	end := "RELEASE SAVEPOINT "
	_, err := d.tx.Exec(d.ctx, "SET LOCAL client_connection_check_interval = '1s'")
	if _, refused := errors.AsType[*pgconn.PgError](err); refused {
		end = "ROLLBACK TO SAVEPOINT "
	} else if err != nil {
		return err
	}
	_, err = d.tx.Exec(d.ctx, end+stepSavepoint)
	return err
}

// Run executes the SQL of the step in the open transaction.
func (d *driver) Run(migration io.Reader) error {
	text, err := io.ReadAll(migration)
	if d.fault != nil || err != nil {
		return errors.Join(d.fault, err)
	}
	if _, err := d.tx.Exec(d.ctx, "SAVEPOINT "+stepSavepoint); err != nil {
		return err
	}
	// The simple protocol accepts several statements in one query.
	if _, err := d.conn.PgConn().Exec(d.ctx, string(text)).ReadAll(); err != nil {
		return orConflict(located(err, string(text)))
	}
	if d.conn.PgConn().TxStatus() != 'T' {
		return errEnded
	}
	// A migration can COMMIT and begin another transaction. The open transaction is then not the transaction of the
	// step, and does not have the savepoint.
	if _, err := d.tx.Exec(d.ctx, "RELEASE SAVEPOINT "+stepSavepoint); sqlstate.Of(err) == sqlstate.NoSavepoint {
		return errEnded
	} else if err != nil {
		return err
	}
	return nil
}

// commit ignores the cancellation of the caller's context. Otherwise pgx would close the connection during COMMIT, and
// the outcome would be unknown.
func (d *driver) commit() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), commitTimeout)
	defer cancel()
	d.committing, d.warning = true, nil
	err := d.tx.Commit(ctx)
	d.committing = false
	if err != nil {
		return orConflict(fmt.Errorf("commit: %w", err))
	}
	d.tx = nil
	if d.warning != nil {
		// An administrator cancelled the wait for the standby. The step is committed on this server, but possibly not
		// replicated.
		return fmt.Errorf("the migration was committed, but is possibly not replicated: %s", d.warning.Message)
	}
	return nil
}

// onNotice stores a warning that arrives during COMMIT.
func (d *driver) onNotice(_ *pgconn.PgConn, notice *pgconn.Notice) {
	if d.committing && notice.SeverityUnlocalized == "WARNING" {
		d.warning = notice
	}
}

// Lock does nothing: the version row is the lock.
func (d *driver) Lock() error { return nil }

// Unlock rolls back the transaction that a failed step has left open.
func (d *driver) Unlock() error {
	tx := d.tx
	d.tx, d.fault = nil, nil
	if tx == nil || d.conn.IsClosed() {
		return nil // the server rolls back when the connection closes
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(d.ctx), rollbackTimeout)
	defer cancel()
	if err := tx.Rollback(ctx); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
		return err
	}
	return nil
}

// Open always fails. golang-migrate never calls it, because this driver is not in its registry.
func (d *driver) Open(string) (database.Driver, error) {
	return nil, errors.New("the migration driver cannot be opened by URL")
}

// Close does nothing: Migrator.connect closes the connection.
func (d *driver) Close() error { return nil }

// Drop always fails: Lockbox never deletes a whole database.
func (d *driver) Drop() error { return errors.New("dropping a database is not supported") }

// orConflict adds errConflict to err if the transaction had a conflict with a concurrent transaction. If a lock was not
// free, orConflict adds errLocked instead. It returns any other error unchanged.
func orConflict(err error) error {
	switch {
	case sqlstate.IsConflict(err):
		return errors.Join(err, errConflict)
	case sqlstate.Of(err) == sqlstate.LockNotAvailable:
		return errors.Join(errLocked, err)
	}
	return err
}

// located adds a line number to an error of the server. It is the line in the migration file at which the server found
// the error.
func located(err error, text string) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || refused.Position < 1 || int(refused.Position) > len(text)+1 {
		return err
	}
	// The position counts characters, not bytes.
	before := []rune(text)
	before = before[:min(int(refused.Position)-1, len(before))]
	return fmt.Errorf("line %d: %w", 1+strings.Count(string(before), "\n"), err)
}
