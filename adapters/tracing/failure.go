package tracing

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
)

// maxResponseHeader is the maximum size of the header of a response, in bytes. A collector sends a few hundred bytes.
const maxResponseHeader = 16 << 10

// failureOf returns the reason why a request failed, for the log. The reason contains neither the URL nor bytes that
// the collector chose. An error of net/http can quote a malformed response, and a certificate error quotes names in the
// certificate. Errors of an unknown kind therefore get a fixed text. adapters/auditstream has a copy of this function,
// because adapters do not import each other.
func failureOf(err error) error {
	var timeout net.Error
	network, _ := errors.AsType[*net.OpError](err)
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case network != nil && isLocalText(network.Op):
		return network
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("the request timed out")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection was closed")
	case errors.Is(err, http.ErrSchemeMismatch):
		return http.ErrSchemeMismatch
	case isOf[x509.UnknownAuthorityError](err):
		return errors.New("certificate signed by unknown authority")
	case isOf[x509.HostnameError](err):
		return errors.New("the certificate is for another host name")
	case isInvalid && invalid.Reason == x509.Expired:
		return errors.New("the certificate has expired or is not yet valid")
	case isOf[*tls.CertificateVerificationError](err):
		return errors.New("the certificate is not valid")
	}
	return errors.New("the connection failed, or the response is malformed or too large")
}

// isLocalText reports whether the text of a net.OpError with the given Op is free of bytes from the remote side. For
// the operations below, the text comes from the operating system, the resolver or the table of TLS alerts.
func isLocalText(operation string) bool {
	switch operation {
	case "dial", "read", "write", "remote error", "local error":
		return true
	}
	return false
}

// isOf reports whether err, or an error that it wraps, has the type E.
func isOf[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
