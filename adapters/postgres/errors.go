package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockbox-go/lockbox/domain"
)

// SQLSTATE codes that are told apart.
const (
	uniqueViolation      = "23505"
	foreignKeyViolation  = "23503"
	notNullViolation     = "23502"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	lockNotAvailable     = "55P03" // within lockTimeout
)

// translate turns what means that the database cannot be had now into Unavailable, and likewise what it refused because
// others were faster, which happens to single statements too where its isolation level is raised. Refusals of the domain, and what is
// a mistake of ours, pass as they are.
func translate(err error) error {
	if err == nil || domain.KindOf(err) != 0 || errors.Is(err, pgx.ErrNoRows) {
		return err
	}
	if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
		if isSerializationFailure(err) || pgErr.Code == lockNotAvailable {
			// Do runs its function again all the same: it looks for the cause.
			return domain.ErrBusy.Because(err)
		}
		if isOutage(pgErr.Code) {
			return unavailable(err)
		}
		return err
	}
	_, network := errors.AsType[net.Error](err)
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	if network || connecting || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err) {
		return unavailable(err)
	}
	return err
}

// isOutage: connection exceptions, insufficient resources, operator intervention (a shutdown, a timeout), a standby.
func isOutage(code string) bool {
	return strings.HasPrefix(code, "08") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "57") ||
		code == "25006" || code == "25P03"
}

func unavailable(cause error) error {
	return domain.Refuse(domain.Unavailable, "database_unavailable",
		"the database does not answer; try again in a moment").Because(cause)
}

func outcomeUnknown(cause error) error {
	return domain.Refuse(domain.Unavailable, "outcome_unknown",
		"the database did not say whether the change was kept: look before you try again").Because(cause)
}

func isSerializationFailure(err error) bool {
	code := sqlState(err)
	return code == serializationFailure || code == deadlockDetected
}

// sqlState returns the code of an error of the server; "" for any other.
func sqlState(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// violates reports whether err is the violation of a constraint of that name.
func violates(err error, code, constraint string) bool {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pgErr.Code == code && pgErr.ConstraintName == constraint
}

// orNotFound replaces "no rows" by the refusal that says what is not there.
func orNotFound(err error, notFound error) error {
	if errors.Is(err, pgx.ErrNoRows) {
		return notFound
	}
	return translate(err)
}
