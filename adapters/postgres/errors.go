package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
)

// translate converts errors of the driver into errors of the domain.
//
//   - If the database cannot be reached, refuses connections or is shutting down, translate returns an error of kind
//     domain.Unavailable with code database_unavailable. It returns the same error for a statement that was cancelled
//     by the server or by the end of its context.
//   - It returns domain.ErrBusy for a conflict with a concurrent transaction, and for a lock that was not free within
//     lockTimeout. If the database has a stricter default isolation level, even a single statement can have a conflict.
//   - Errors of the domain, pgx.ErrNoRows and programming errors are returned unchanged.
func translate(err error) error {
	if err == nil || domain.KindOf(err) != 0 || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return unavailable(connect.ExplainRefusal(err))
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if sqlstate.IsConflict(err) || pgErr.Code == sqlstate.LockNotAvailable {
			// Store.Do still recognises a conflict and retries, because the returned error wraps err.
			return domain.ErrBusy.Because(err)
		}
		if isOutage(pgErr.Code) {
			return unavailable(err)
		}
		return err
	}
	_, network := errors.AsType[net.Error](err)
	if network || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) ||
		pgconn.SafeToRetry(err) {
		return unavailable(err)
	}
	return err
}

// isOutage reports whether a code means that the server cannot run statements at the moment. Class 08 is a connection
// exception, and class 53 means insufficient resources. Class 57 means a shutdown or a statement timeout.
// sqlstate.ReadOnlyTransaction means that the server is read-only, for example a standby. sqlstate.IdleInTransaction
// means that a transaction was idle for too long.
func isOutage(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57") ||
		code == sqlstate.ReadOnlyTransaction || code == sqlstate.IdleInTransaction
}

// unavailable returns the error for a database that cannot be reached, does not answer, or refuses connections or
// writes.
func unavailable(cause error) error {
	message := "the database does not answer; try again in a moment"
	switch {
	case errors.Is(cause, ErrStandby):
		message = "the database is a read-only standby; try again in a moment"
	case errors.Is(cause, errOldPrimary):
		message = "the database has a new primary; try again in a moment"
	case errors.Is(cause, errReadOnly):
		message = "the database is read-only; try again in a moment"
	case sqlstate.Of(cause) == sqlstate.DiskFull:
		message = "the disk of the database is full; try again after an operator has freed space"
	case errors.Is(cause, connect.ErrRefused):
		message = "the database refuses connections from this Lockbox server; " +
			"the log of this server contains the reason"
	}
	return domain.Refuse(domain.Unavailable, "database_unavailable", message).Because(cause)
}

// outcomeUnknown returns the error for a commit to which the server did not respond, and for a commit that the
// synchronous standby did not confirm. The change is possibly stored.
func outcomeUnknown(cause error) error {
	return domain.Refuse(domain.Unavailable, "outcome_unknown",
		"the database did not report whether the change was committed: check before you retry").Because(cause)
}

// violates reports whether err has the given code and names the given constraint.
func violates(err error, code, constraint string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code && pgErr.ConstraintName == constraint
}

// orNotFound replaces pgx.ErrNoRows with the argument notFound and translates any other error.
func orNotFound(err error, notFound error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound
	}
	return translate(err)
}

// ErrStandby means that the server is a standby. This is not a lasting reason to refuse connections, because the
// standby may be promoted at any time.
var ErrStandby = errors.New("the database is a read-only standby: the URL must lead to the primary")

var errOldPrimary = errors.New("the database is a former primary")
