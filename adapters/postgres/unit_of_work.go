package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	// maxAttempts is how often Do runs a unit of work that fails because of conflicts or stale server keys.
	maxAttempts = 3
	// maxStartOvers is how often Do runs a unit of work that returns ports.ErrStartOver. It is higher than maxAttempts,
	// because ports.ErrStartOver is not a failure. This error occurs only after another transaction has completed.
	maxStartOvers = 10
	// A COMMIT may take up to StatementTimeout plus endTimeout, and a ROLLBACK up to endTimeout. If the request has a
	// deadline, two more limits apply. A COMMIT must end within commitTime after the deadline, and a ROLLBACK within
	// rollbackTime after the deadline.
	endTimeout   = 5 * time.Second
	commitTime   = 3 * time.Second
	rollbackTime = 500 * time.Millisecond
	// retryJitter is the longest random delay before the first retry. The longest delay before the second retry is
	// twice as long.
	retryJitter = 20 * time.Millisecond
)

// inTransaction is the context key that marks the context of a unit of work.
type inTransaction struct{}

var errNested = errors.New("a unit of work must not start another unit of work")

// Do runs fn in one transaction and retries it as ports.UnitOfWork describes.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, repos ports.Repos) error) error {
	if ctx.Value(inTransaction{}) != nil {
		return errNested
	}
	// failures counts both conflicts and stale server keys. After maxAttempts failures, Do gives up. Do waits before
	// the next run only after a conflict. After the other errors, fn can run again immediately.
	failures, startOvers := 0, 0
	for {
		err := s.runOnce(ctx, fn)
		switch {
		case errors.Is(err, ports.ErrStartOver):
			if startOvers++; startOvers >= maxStartOvers {
				return domain.ErrBusy.Because(err)
			}
		case errors.Is(err, ports.ErrStaleServerKey):
			if failures++; failures >= maxAttempts || s.onStaleKey == nil {
				return err
			}
			if err := s.onStaleKey(ctx); err != nil {
				return err
			}
		case sqlstate.IsConflict(err):
			if failures++; failures >= maxAttempts {
				return domain.ErrBusy.Because(err)
			}
			if err := waitBeforeRetry(ctx, failures); err != nil {
				return err
			}
		default:
			return translate(err)
		}
	}
}

// runOnce runs fn in one transaction. It does not use the transactions of pgxpool, because commit must read the notices
// that the connection receives. The call of rollback is deferred, so it also runs after a panic of fn.
func (s *Store) runOnce(ctx context.Context, fn func(ctx context.Context, repos ports.Repos) error) error {
	release, err := s.transactions.acquire(ctx, ports.Origin(ctx))
	if err != nil {
		return err
	}
	defer release()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := newTransaction(conn, s.pool.limit)
	tx.patient = s.patient
	defer rollback(ctx, tx) // before the connection is released
	if err := fn(context.WithValue(ctx, inTransaction{}, true), s.repos(tx, nil)); err != nil {
		return err
	}
	if err := commit(ctx, tx); err != nil {
		return err
	}
	for i := range tx.events {
		s.eventCounts.add(&tx.events[i])
	}
	return nil
}

// commit ignores the cancellation of the request. Otherwise a client that disconnects would cancel the wait for a
// synchronous standby. The commit would then look successful, although the transaction was not replicated.
func commit(ctx context.Context, tx *transaction) error {
	ctx, cancel := withEnd(ctx, StatementTimeout+endTimeout, commitTime)
	defer cancel()
	notReplicated := watchReplication(tx.conn)
	known, err := tx.commit(ctx)
	switch {
	case notReplicated():
		return outcomeUnknown(errNotReplicated)
	case !known:
		return outcomeUnknown(err)
	default:
		return err
	}
}

// withEnd returns the context for a COMMIT or a ROLLBACK. These statements must run even if ctx has ended. The argument
// limit is the longest duration of the new context. If ctx has a deadline, the new context ends at that deadline plus
// the argument extra at the latest. If the deadline has already passed, the new context ends after extra.
func withEnd(ctx context.Context, limit, extra time.Duration) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, max(0, time.Until(deadline))+extra)
	}
	return context.WithTimeout(context.WithoutCancel(ctx), limit)
}

// rollback has no effect after a commit. If the ROLLBACK takes too long, the connection is closed. The server then
// rolls the transaction back.
func rollback(ctx context.Context, tx *transaction) {
	ctx, cancel := withEnd(ctx, endTimeout, rollbackTime)
	defer cancel()
	tx.rollback(ctx)
}

// notReplicatedKey is the map key with which onNotice marks a connection. The mark means that the standby did not
// confirm the last commit.
const notReplicatedKey = "not replicated"

var errNotReplicated = errors.New("the wait for the synchronous standby was cancelled")

// onNotice records the warning "canceling wait for synchronous replication". The driver does not treat the warning as
// an error. onNotice compares only the code, because the text is in the server's language. A commit causes no other
// warning.
func onNotice(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.Code == sqlstate.Warning && notice.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[notReplicatedKey] = true
	}
}

// watchReplication must be called before a commit. After the commit, the returned function reports whether the wait for
// the standby was cancelled.
func watchReplication(conn *pgxpool.Conn) (notReplicated func() bool) {
	data := conn.Conn().PgConn().CustomData()
	delete(data, notReplicatedKey)
	return func() bool { return data[notReplicatedKey] != nil }
}

// waitBeforeRetry waits for a random time, so two transactions that had a conflict probably retry at different times.
// The longest possible wait grows with each attempt. If ctx ends, waitBeforeRetry returns the error of ctx immediately.
func waitBeforeRetry(ctx context.Context, attempt int) error {
	limit := int64(attempt) * int64(retryJitter)
	timer := time.NewTimer(time.Duration(rand.Int64N(limit))) //nolint:gosec // jitter is no secret
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
