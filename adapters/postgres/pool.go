package postgres

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pool is the connection pool of a store. Each statement that runs directly on the pool has a deadline, even if the
// context of the caller has none; see bounded. A pool is safe for concurrent use.
type pool struct {
	bounded
	raw       *pgxpool.Pool
	connector *connector
}

// openPool makes the pool. It does not connect. The argument limit is the longest time for one statement, including the
// wait for a connection.
func openPool(ctx context.Context, settings *pgxpool.Config, connector *connector, limit time.Duration) (*pool, error) {
	connector.configure(settings)
	ready := make(chan struct{}) // closed when raw is assigned; a connection may open earlier
	var raw *pgxpool.Pool
	connector.discard = func() {
		<-ready
		raw.Reset()
	}
	raw, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, err
	}
	close(ready)
	p := &pool{raw: raw, connector: connector}
	p.bounded = bounded{q: waiting{p}, limit: limit}
	return p, nil
}

// Acquire returns a connection. If the server accepts no further connection, Acquire waits up to fullTimeout for a
// connection of the pool to become free. The pool sets no deadline for the statements of the returned connection.
func (p *pool) Acquire(ctx context.Context) (*pgxpool.Conn, error) {
	conn, err := p.raw.Acquire(ctx)
	if err != nil && p.connector.noteFull(err) {
		return retryWhileFull(ctx, p, err, p.raw.Acquire)
	}
	return conn, err
}

// retryWhileFull calls the function get until a call succeeds, for at most fullTimeout. It stops immediately if a call
// fails for a reason other than a full server. The argument err is the error of the first attempt, which the caller has
// made.
func retryWhileFull[T any](ctx context.Context, p *pool, err error,
	get func(context.Context) (T, error)) (got T, _ error) {
	for deadline := time.Now().Add(fullTimeout); time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return got, err
		case <-time.After(10*time.Millisecond + rand.N(20*time.Millisecond)): //nolint:gosec // jitter is no secret
		}
		if got, err = get(ctx); err == nil || !p.connector.noteFull(err) {
			break
		}
	}
	return got, err
}

// waiting runs statements on the connections of a pool. Like Acquire, its methods wait for a free connection of the
// pool if the server accepts no further connection.
type waiting struct{ pool *pool }

func (w waiting) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := w.pool.raw.Exec(ctx, sql, args...)
	if err != nil && w.pool.connector.noteFull(err) {
		return retryWhileFull(ctx, w.pool, err, func(ctx context.Context) (pgconn.CommandTag, error) {
			return w.pool.raw.Exec(ctx, sql, args...)
		})
	}
	return tag, err
}

func (w waiting) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	rows, err := w.pool.raw.Query(ctx, sql, args...)
	if err != nil && w.pool.connector.noteFull(err) {
		return retryWhileFull(ctx, w.pool, err, func(ctx context.Context) (pgx.Rows, error) {
			return w.pool.raw.Query(ctx, sql, args...)
		})
	}
	return rows, err
}

// QueryRow runs a statement. If the statement fails, the method Scan of the returned row returns the error.
func (w waiting) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	rows, err := w.Query(ctx, sql, args...)
	if err != nil {
		return failedRow{err}
	}
	return singleRow{rows}
}

// SendBatch runs a batch. If the batch fails, the methods of the returned results return the error.
func (w waiting) SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults {
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return failedBatch{err: err}
	}
	return &closingBatch{conn.SendBatch(ctx, batch), conn.Release}
}
