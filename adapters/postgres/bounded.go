package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// bounded gives each statement of a querier a deadline. If the server does not answer, the statement occupies its
// connection only until this deadline, even if the context of the caller ends later or never. The deadline also applies
// to reading the rows or results of the statement.
type bounded struct {
	q querier
	// limit is the longest time for one statement or batch.
	limit time.Duration
}

// statementLimit returns how long Lockbox waits for a statement. The argument timeout is the time after which the
// server itself cancels the statement. Lockbox waits a little longer than timeout, so it receives the server's own
// error if the server still responds.
func statementLimit(timeout time.Duration) time.Duration { return timeout + answerTimeout }

// bound returns a context with a timeout of b.limit, and the cancel function of this context. If ctx ends before this
// timeout, bound returns ctx and nil.
func (b *bounded) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= b.limit {
		return ctx, nil
	}
	return context.WithTimeout(ctx, b.limit)
}

// Exec runs a statement.
func (b *bounded) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	ctx, cancel := b.bound(ctx)
	if cancel != nil {
		defer cancel()
	}
	return b.q.Exec(ctx, sql, args...)
}

// Query runs a statement. The caller must close the rows, or read all of them.
func (b *bounded) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	ctx, cancel := b.bound(ctx)
	rows, err := b.q.Query(ctx, sql, args...)
	switch {
	case cancel == nil:
		return rows, err
	case err != nil:
		cancel()
		return rows, err
	}
	return &closingRows{rows, cancel}, nil
}

// QueryRow runs a statement. The caller must call Scan, which returns the error of the statement.
func (b *bounded) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := b.Query(ctx, sql, args...)
	if err != nil {
		return failedRow{err}
	}
	return singleRow{rows}
}

// SendBatch runs several statements in one round trip. The caller must close the results.
func (b *bounded) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	ctx, cancel := b.bound(ctx)
	results := b.q.SendBatch(ctx, batch)
	if cancel == nil {
		return results
	}
	return &closingBatch{results, cancel}
}

// closingRows are the rows of a statement. When the caller closes them, they call the function in the field end.
type closingRows struct {
	pgx.Rows
	end func()
}

// Close may be called more than once.
func (r *closingRows) Close() {
	r.Rows.Close()
	r.end()
}

// Next closes the rows when no row is left.
func (r *closingRows) Next() bool {
	next := r.Rows.Next()
	if !next {
		r.Close()
	}
	return next
}

// closingBatch contains the results of a batch. Its method Close also calls the function in the field end.
type closingBatch struct {
	pgx.BatchResults
	end func()
}

// Close may be called more than once.
func (b *closingBatch) Close() error {
	err := b.BatchResults.Close()
	b.end()
	return err
}

// singleRow is the result of QueryRow: the first of the returned rows.
type singleRow struct{ rows pgx.Rows }

// Scan returns pgx.ErrNoRows if there is no row. It closes the rows.
func (r singleRow) Scan(targets ...any) error {
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(targets...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}
