package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// transaction is a querier that spends few round trips on its begin and its end: BEGIN goes with the first statements,
// and what nobody has to look at before the commit goes with COMMIT. It is not safe for concurrent use.
type transaction struct {
	conn  *pgxpool.Conn
	begun bool
	// last waits for the commit, or for the next statement if there is one; explain reads its error.
	last    *pgx.Batch
	explain func(error) error
}

// atCommit sends a batch with the commit of the unit of work that q is; explain makes of its error what Do returns. A
// statement that must keep the transaction from being committed has to fail: nobody looks at what it returns.
func atCommit(ctx context.Context, q querier, batch *pgx.Batch, explain func(error) error) error {
	t, inside := q.(*transaction)
	if !inside {
		return explain(q.SendBatch(ctx, batch).Close())
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	t.last, t.explain = batch, explain
	return nil
}

// flush sends what was to wait for the commit.
func (t *transaction) flush(ctx context.Context) error {
	if t.last == nil {
		return nil
	}
	batch, explain := t.last, t.explain
	t.last, t.explain = nil, nil
	return explain(t.send(ctx, batch).Close())
}

// send sends a batch, with BEGIN before it if it is the first.
func (t *transaction) send(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	if t.begun {
		return t.conn.SendBatch(ctx, batch)
	}
	t.begun = true
	batch.QueuedQueries = append([]*pgx.QueuedQuery{{SQL: "begin"}}, batch.QueuedQueries...)
	results := t.conn.SendBatch(ctx, batch)
	_, _ = results.Exec() // Close returns the error
	return results
}

// begin flushes, and begins if nothing has yet.
func (t *transaction) begin(ctx context.Context) error {
	if err := t.flush(ctx); err != nil || t.begun {
		return err
	}
	return t.send(ctx, &pgx.Batch{}).Close()
}

func (t *transaction) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	if err := t.flush(ctx); err != nil {
		return failedBatch{err: err}
	}
	return t.send(ctx, batch)
}

func (t *transaction) Exec(ctx context.Context, sql string, args ...any) (tag pgconn.CommandTag, err error) {
	if t.begun {
		if err := t.flush(ctx); err != nil {
			return tag, err
		}
		return t.conn.Exec(ctx, sql, args...)
	}
	var batch pgx.Batch
	batch.Queue(sql, args...).Exec(func(of pgconn.CommandTag) error {
		tag = of
		return nil
	})
	err = t.SendBatch(ctx, &batch).Close()
	return tag, err
}

func (t *transaction) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	if err := t.begin(ctx); err != nil {
		return nil, err
	}
	return t.conn.Query(ctx, sql, args...)
}

func (t *transaction) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	if err := t.begin(ctx); err != nil {
		return failedRow{err}
	}
	return t.conn.QueryRow(ctx, sql, args...)
}

// commit ends the transaction, if there is one. known is false where the server did not say what became of it.
func (t *transaction) commit(ctx context.Context) (known bool, err error) {
	batch, explain := t.last, t.explain
	if batch == nil {
		if !t.begun {
			return true, nil
		}
		batch, explain = &pgx.Batch{}, func(err error) error { return err }
	}
	t.last, t.explain = nil, nil
	batch.Queue("commit").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	err = t.send(ctx, batch).Close()
	if _, refused := errors.AsType[*pgconn.PgError](err); refused || err == nil {
		return true, explain(err)
	}
	return errors.Is(err, pgx.ErrTxCommitRollback), err
}

// rollback ends a transaction that was not committed. A connection that cannot roll back is broken, and the pool drops
// it, as it drops every one that is given back within a transaction.
func (t *transaction) rollback(ctx context.Context) {
	t.last = nil
	if t.begun && t.conn.Conn().PgConn().TxStatus() != 'I' {
		_, _ = t.conn.Exec(ctx, "rollback")
	}
}

// failedBatch and failedRow are for a statement before which another one failed.
type failedBatch struct {
	pgx.BatchResults
	err error
}

func (f failedBatch) Close() error                     { return f.err }
func (f failedBatch) Exec() (pgconn.CommandTag, error) { return pgconn.CommandTag{}, f.err }

type failedRow struct{ err error }

func (f failedRow) Scan(...any) error { return f.err }
