package connect

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
)

// ErrRefused means that the database refuses connections for a lasting reason. Waiting does not help. An operator must
// change the URL, the role or the database. Other errors wrap ErrRefused.
var ErrRefused = errors.New("the database refuses the connection")

// NewRefusal returns an error that wraps ErrRefused. The argument names the lasting reason.
func NewRefusal(reason string) error { return fmt.Errorf("%w: %s", ErrRefused, reason) }

// ExplainRefusal adds ErrRefused and the reason to err if the server refused the connection for a lasting reason. It
// returns any other error unchanged. It also returns err unchanged if the URL names several hosts and one of them was
// not reached.
func ExplainRefusal(err error) error {
	if errors.Is(err, ErrRefused) {
		return err
	}
	if isUnreached(err) {
		return err
	}
	// With sslmode=prefer, the driver first tries TLS, and then a connection without TLS. The error contains both
	// failures. If the server returned an error code, TLS was not the reason for the refusal.
	reason := serverReason(err)
	if sqlstate.Of(err) == "" {
		reason = tlsReason(err)
	}
	if reason == "" {
		return err
	}
	return fmt.Errorf("%w: %s: %w", ErrRefused, reason, err)
}

// isUnreached reports whether a host was not reached or did not answer. It checks err and the errors that err wraps.
func isUnreached(err error) bool {
	switch err := err.(type) { //nolint:errorlint // the loops below unwrap the error
	case *net.OpError:
		_, alert := errors.AsType[tls.AlertError](err.Err)
		return !alert // an alert is an answer of the peer
	case *net.DNSError:
		return true
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(err.Unwrap(), isUnreached)
	case interface{ Unwrap() error }:
		return isUnreached(err.Unwrap())
	}
	return err == context.DeadlineExceeded || err == context.Canceled //nolint:errorlint // err wraps nothing
}

// serverReason explains an error with which the server refused a connection for a lasting reason. The text usually
// names what an operator must change. For any other error, serverReason returns "".
func serverReason(err error) string {
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); !connecting {
		return ""
	}
	switch code := sqlstate.Of(err); {
	case strings.HasPrefix(code, sqlstate.InvalidAuthorizationClass):
		return "check the role and the password in the URL, and pg_hba.conf on the server"
	case code == sqlstate.InvalidCatalogName:
		return "create the database, or correct its name in the URL"
	case code == sqlstate.InsufficientPrivilege:
		return "grant the role CONNECT on the database"
	case code == sqlstate.ProtocolViolation && !strings.Contains(err.Error(), "startup parameter"):
		return "" // PgBouncer uses this code for all errors, even if the database does not answer
	case code == sqlstate.ProtocolViolation, code == sqlstate.UndefinedObject, code == sqlstate.InvalidParameterValue:
		return "the server, or a pooler in front of it, does not accept the parameters of the connection"
	}
	return ""
}

// tlsReason explains a TLS handshake that failed for a lasting reason, and names what an operator must change. For any
// other error, it returns "".
func tlsReason(err error) string {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	switch {
	case verification, authority, name:
		return "the certificate of the server cannot be verified: check sslmode and sslrootcert in the URL"
	case alert:
		return "the server refused TLS: check sslmode, sslcert and sslkey in the URL"
	}
	if _, connecting := errors.AsType[*pgconn.ConnectError](err); connecting &&
		strings.Contains(err.Error(), "server refused TLS connection") { // the driver has no type for it
		return "the server does not offer TLS: check sslmode in the URL"
	}
	return ""
}
