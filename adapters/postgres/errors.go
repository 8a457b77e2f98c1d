package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
)

// translate converts errors of the driver into errors of the domain.
//
//   - A database that cannot be reached, refuses connections or is shutting down gives Unavailable with code
//     database_unavailable. A cancelled statement gives the same error, because it had no effect.
//   - A conflict with a concurrent transaction, or a lock that was not free within lockTimeout, gives domain.ErrBusy. A
//     single statement can meet a conflict too, if the default isolation level of the database is raised.
//   - Errors of the domain, pgx.ErrNoRows and programming errors are returned unchanged.
func translate(err error) error {
	if err == nil || domain.KindOf(err) != 0 || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting {
		return unavailable(ExplainRefusal(err))
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if sqlstate.IsConflict(err) || pgErr.Code == sqlstate.LockNotAvailable {
			// Store.Do still retries a conflict, because it finds the cause in the chain of errors.
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

// isOutage reports whether a code means that the server cannot work now: the classes 08 (connection
// exception), 53 (insufficient resources) and 57 (operator intervention: a shutdown or a statement
// timeout), a standby, or a transaction that was idle for too long.
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
		message = "the disk of the database is full: an operator must free space; then try again"
	case errors.Is(cause, ErrRefused):
		message = "the database refuses the connections of this server: the log of this server has the reason"
	}
	return domain.Refuse(domain.Unavailable, "database_unavailable", message).Because(cause)
}

// outcomeUnknown returns the error for a commit whose result did not arrive, or whose replication was not confirmed.
// The change may or may not be stored.
func outcomeUnknown(cause error) error {
	return domain.Refuse(domain.Unavailable, "outcome_unknown",
		"the database did not report whether the change was committed: check before you retry").Because(cause)
}

// violates reports whether err has the given code and names the given constraint.
func violates(err error, code, constraint string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code && pgErr.ConstraintName == constraint
}

// orNotFound replaces pgx.ErrNoRows by notFound and translates any other error.
func orNotFound(err error, notFound error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound
	}
	return translate(err)
}
