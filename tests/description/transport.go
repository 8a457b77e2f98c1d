package description

import (
	"bytes"
	"io"
	"net/http"
)

// Transport is an http.RoundTripper that checks each exchange. If the description does not allow an exchange, RoundTrip
// returns a [Mismatch].
type Transport struct {
	Base http.RoundTripper
}

// Mismatch reports an exchange that does not match the description.
type Mismatch struct{ Cause error }

func (m *Mismatch) Error() string {
	return "the exchange does not match api/openapi.yaml: " + m.Cause.Error()
}

// Unwrap returns the difference.
func (m *Mismatch) Unwrap() error { return m.Cause }

// RoundTrip sends a request, reads the whole response, and checks the request and the response.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	described, err := Load()
	if err != nil {
		return nil, err
	}
	exchange := Exchange{Request: r}
	if err := exchange.readSent(r); err != nil {
		return nil, err
	}
	response, err := t.Base.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	exchange.Body, err = io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(exchange.Body))
	exchange.Status, exchange.Header = response.StatusCode, response.Header
	if err := described.Check(exchange); err != nil {
		return nil, &Mismatch{err}
	}
	return response, nil
}

// readSent copies the request body from GetBody. If the request has a body but no GetBody, readSent sets SentUnknown,
// because reading the body would consume it.
func (e *Exchange) readSent(r *http.Request) error {
	switch {
	case r.Body == nil || r.Body == http.NoBody:
		return nil
	case r.GetBody == nil:
		e.SentUnknown = true
		return nil
	}
	body, err := r.GetBody()
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	e.Sent, err = io.ReadAll(body)
	return err
}
