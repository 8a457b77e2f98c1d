// Package sqlstate names the PostgreSQL error codes that Lockbox handles; see appendix A of the
// PostgreSQL manual.
package sqlstate

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// These codes are compared individually. A function that handles a whole class of codes contains the prefix of the
// class.
const (
	Warning               = "01000"
	ProtocolViolation     = "08P01"
	FeatureNotSupported   = "0A000"
	InvalidParameterValue = "22023"
	NotNullViolation      = "23502"
	ForeignKeyViolation   = "23503"
	UniqueViolation       = "23505"
	ReadOnlyTransaction   = "25006"
	IdleInTransaction     = "25P03" // idle_in_transaction_session_timeout
	NoSavepoint           = "3B001"
	InvalidCatalogName    = "3D000"
	SerializationFailure  = "40001"
	DeadlockDetected      = "40P01"
	InsufficientPrivilege = "42501"
	UndefinedColumn       = "42703"
	UndefinedObject       = "42704"
	DuplicateObject       = "42710"
	UndefinedFunction     = "42883"
	UndefinedTable        = "42P01"
	DuplicateTable        = "42P07"
	DiskFull              = "53100"
	TooManyConnections    = "53300"
	LockNotAvailable      = "55P03" // lock_timeout
	InternalError         = "XX000"

	// InvalidAuthorizationClass is the class of the error codes for a role or a password that the server refuses.
	InvalidAuthorizationClass = "28"
)

// Of returns the error code if the server returned err. For any other error, it returns "".
func Of(err error) string {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code
	}
	return ""
}

// IsConflict reports whether the server rolled the transaction back because of a concurrent transaction. The caller can
// run such a transaction again.
func IsConflict(err error) bool {
	code := Of(err)
	return code == SerializationFailure || code == DeadlockDetected
}
