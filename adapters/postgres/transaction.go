package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockbox-go/lockbox/domain"
)

// transaction is a querier that saves round trips. It sends BEGIN together with the first statement. It can send
// statements together with COMMIT; see atCommit. A transaction is not safe for concurrent use.
type transaction struct {
	conn *pgxpool.Conn
	// statements gives each statement on conn a deadline.
	statements bounded
	begun      bool
	// If patient is true, the statement timeout is PatientTimeout. This timeout must end with the transaction, because
	// a pooler may then give the session to another program.
	patient bool
	// deferred is a batch that has not been sent yet; see atCommit. The function translate converts the error of this
	// batch.
	deferred  *pgx.Batch
	translate func(error) error
	// events are the audit events of the transaction.
	events []domain.Event
}

// newTransaction returns a transaction on conn, but does not begin it. The argument limit is the longest time for one
// statement.
func newTransaction(conn *pgxpool.Conn, limit time.Duration) *transaction {
	return &transaction{conn: conn, statements: bounded{q: conn, limit: limit}}
}

// atCommit defers a batch if q is a transaction. The transaction sends the batch before its next statement. If no
// statement follows, it sends the batch with COMMIT. If q is a pool, atCommit runs the batch immediately. Several
// deferred batches are sent together, in the order of the calls. The function translate converts the error of the batch
// into the error that Store.Do returns. The function must not change errors of the domain. The results of the
// statements are discarded. A statement must therefore fail if it has to prevent the commit.
func atCommit(ctx context.Context, q querier, batch *pgx.Batch, translate func(error) error) error {
	t, inside := q.(*transaction)
	if !inside {
		return translate(q.SendBatch(ctx, batch).Close())
	}
	if t.deferred == nil {
		t.deferred, t.translate = batch, translate
		return nil
	}
	// The function of the earlier batch converts the error first. The new function then converts the result, but does
	// not change an error of the domain.
	before := t.translate
	t.deferred.QueuedQueries = append(t.deferred.QueuedQueries, batch.QueuedQueries...)
	t.translate = func(err error) error { return translate(before(err)) }
	return nil
}

// flush sends the deferred batch, because the next statement must see the changes that the batch makes.
func (t *transaction) flush(ctx context.Context) error {
	if t.deferred == nil {
		return nil
	}
	batch, translate := t.deferred, t.translate
	t.deferred, t.translate = nil, nil
	return translate(t.send(ctx, batch).Close())
}

// send sends a batch. The first batch of a transaction is preceded by BEGIN.
func (t *transaction) send(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	if t.begun {
		return t.statements.SendBatch(ctx, batch)
	}
	t.begun = true
	opening := []*pgx.QueuedQuery{{SQL: "begin"}}
	if t.patient {
		sql := "set local statement_timeout = " + milliseconds(PatientTimeout)
		opening = append(opening, &pgx.QueuedQuery{SQL: sql})
	}
	batch.QueuedQueries = append(opening, batch.QueuedQueries...)
	results := t.statements.SendBatch(ctx, batch)
	for range opening {
		_, _ = results.Exec() // Close returns the error
	}
	return results
}

// begin sends the deferred batch, if there is one. If the transaction has still not begun, the method begin sends
// BEGIN.
func (t *transaction) begin(ctx context.Context) error {
	if err := t.flush(ctx); err != nil || t.begun {
		return err
	}
	return t.send(ctx, &pgx.Batch{}).Close()
}

// SendBatch first sends the deferred batch, and then the given batch.
func (t *transaction) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	if err := t.flush(ctx); err != nil {
		return failedBatch{err: err}
	}
	return t.send(ctx, batch)
}

// Exec needs one round trip, even if it runs the first statement of the transaction.
func (t *transaction) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if t.begun {
		if err := t.flush(ctx); err != nil {
			return tag, err
		}
		return t.statements.Exec(ctx, sql, args...)
	}
	var batch pgx.Batch
	batch.Queue(sql, args...).Exec(func(result pgconn.CommandTag) error {
		tag = result
		return nil
	})
	err = t.SendBatch(ctx, &batch).Close()
	return tag, err
}

// Query needs an additional round trip for BEGIN if it runs the first statement of the transaction. Exec and QueryRow
// do not need this additional round trip.
func (t *transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.statements.Query(ctx, sql, args...)
}

// QueryRow needs one round trip, even if it runs the first statement of the transaction. If the statement fails, the
// method Scan of the returned row returns the error.
func (t *transaction) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if t.begun {
		if err := t.flush(ctx); err != nil {
			return failedRow{err}
		}
		return t.statements.QueryRow(ctx, sql, args...)
	}
	var batch pgx.Batch
	batch.Queue(sql, args...)
	return batchRow{t.SendBatch(ctx, &batch)}
}

// commit commits the transaction if it has begun. Its first result is false if the connection failed before the server
// reported the outcome. In this case, the transaction may have been committed.
func (t *transaction) commit(ctx context.Context) (known bool, err error) {
	batch, translate := t.deferred, t.translate
	if batch == nil {
		if !t.begun {
			return true, nil
		}
		batch, translate = &pgx.Batch{}, func(err error) error { return err }
	}
	t.deferred, t.translate = nil, nil
	batch.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	// If the server returned an error, or answered COMMIT with ROLLBACK, the transaction is rolled back. After any
	// other error, the outcome is unknown.
	err = t.send(ctx, batch).Close()
	if _, refused := errors.AsType[*pgconn.PgError](err); refused || err == nil {
		return true, translate(err)
	}
	return errors.Is(err, pgx.ErrTxCommitRollback), err
}

// rollback ends a transaction that was not committed. It ignores errors. If the ROLLBACK fails, the pool closes the
// connection, because the connection still has an open transaction.
func (t *transaction) rollback(ctx context.Context) {
	t.deferred = nil
	if t.begun && t.conn.Conn().PgConn().TxStatus() != 'I' {
		_, _ = t.conn.Exec(ctx, "rollback")
	}
}

// failedBatch is the result of a batch that was not sent. Either there was no connection, or an earlier statement had
// failed.
type failedBatch struct {
	pgx.BatchResults
	err error
}

func (f failedBatch) Close() error                     { return f.err }
func (f failedBatch) QueryRow() pgx.Row                { return failedRow{f.err} }
func (f failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, f.err }

// batchRow is the result of QueryRow for a statement that was sent in a batch.
type batchRow struct{ results pgx.BatchResults }

// Scan also ends the batch.
func (r batchRow) Scan(targets ...any) error {
	err := r.results.QueryRow().Scan(targets...)
	if closeErr := r.results.Close(); err == nil {
		err = closeErr
	}
	return err
}

// failedRow is the result of a QueryRow that failed. It is also the result if the statement was not sent, because an
// earlier statement had failed.
type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }
