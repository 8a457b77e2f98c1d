package postgres

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	maxAttempts = 3
	// maxStartOvers is higher than maxAttempts: starting over is no fault, and each one means that somebody else got on.
	maxStartOvers = 10
	endTimeout    = 5 * time.Second
)

type inTransaction struct{}

var errNested = errors.New("a unit of work inside a unit of work")

// Do runs fn in one transaction; see ports.UnitOfWork.
func (s *Store) Do(ctx context.Context, fn func(ctx context.Context, repos ports.Repos) error) error {
	if ctx.Value(inTransaction{}) != nil {
		return errNested
	}
	failures, startOvers := 0, 0
	for {
		err := s.once(ctx, fn)
		switch {
		case errors.Is(err, ports.ErrStartOver):
			if startOvers++; startOvers >= maxStartOvers {
				return domain.ErrBusy.Because(err)
			}
			continue
		case errors.Is(err, ports.ErrStaleServerKey):
			if failures++; failures >= maxAttempts || s.onStaleKey == nil {
				return err
			}
			if err := s.onStaleKey(ctx); err != nil {
				return err
			}
		case isSerializationFailure(err):
			if failures++; failures >= maxAttempts {
				return domain.ErrBusy.Because(err)
			}
			if err := pause(ctx, failures); err != nil {
				return err
			}
		default:
			return translate(err)
		}
	}
}

// once holds the connection itself, rather than let the pool's transaction do it, in order to ask it after the commit
// what the server noted.
func (s *Store) once(ctx context.Context, fn func(ctx context.Context, repos ports.Repos) error) error {
	if err := s.transactions.Acquire(ctx, 1); err != nil {
		return err
	}
	defer s.transactions.Release(1)
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	tx := &transaction{conn: conn}
	defer rollback(ctx, tx)
	if err := fn(context.WithValue(ctx, inTransaction{}, true), s.repos(tx, nil)); err != nil {
		return err
	}
	return commit(ctx, tx)
}

// commit runs under a context of its own. Under the request's, a client that hangs up would cancel the wait for a
// standby: the row would be visible, not replicated, and the commit would look like a success.
func commit(ctx context.Context, tx *transaction) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), StatementTimeout+endTimeout)
	defer cancel()
	lost := watchReplication(tx.conn)
	known, err := tx.commit(ctx)
	switch {
	case lost():
		return outcomeUnknown(errNotReplicated)
	case !known:
		return outcomeUnknown(err)
	default:
		return err
	}
}

// rollback does nothing after a commit.
func rollback(ctx context.Context, tx *transaction) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTimeout)
	defer cancel()
	tx.rollback(ctx)
}

const lostReplication = "lost replication"

var errNotReplicated = errors.New("the wait for the standby was cancelled")

// noteLostReplication remembers, with the connection, a warning that matters and that is not an error to the driver. It
// goes by the code, since the words are in the server's language: no other warning comes with a commit.
func noteLostReplication(conn *pgconn.PgConn, notice *pgconn.Notice) {
	if notice.Code == "01000" && notice.SeverityUnlocalized == "WARNING" {
		conn.CustomData()[lostReplication] = true
	}
}

// watchReplication is called before a commit; what it returns tells afterwards whether the wait for the standby was
// cut short.
func watchReplication(conn *pgxpool.Conn) func() bool {
	notes := conn.Conn().PgConn().CustomData()
	delete(notes, lostReplication)
	return func() bool { return notes[lostReplication] != nil }
}

// pause waits a little longer each time, by chance, so that those who collided do not collide again.
func pause(ctx context.Context, attempt int) error {
	timer := time.NewTimer(time.Duration(
		rand.Int64N(int64(attempt) * int64(20*time.Millisecond)))) //nolint:gosec // jitter is no secret
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
