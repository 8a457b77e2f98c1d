package description

import (
	"bytes"
	"io"
	"net/http"
)

// Transport is an http.RoundTripper that checks each exchange, and fails the request with a Mismatch where it is not as
// described.
type Transport struct {
	Base http.RoundTripper
}

// Mismatch is an exchange that is not as described.
type Mismatch struct{ Cause error }

func (m *Mismatch) Error() string {
	return "the exchange is not as api/openapi.yaml describes it: " + m.Cause.Error()
}

// Unwrap returns what is not as described.
func (m *Mismatch) Unwrap() error { return m.Cause }

// RoundTrip sends a request, reads the whole answer and checks both.
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

// readSent takes a copy of the body. Where that would use it up it is left alone, and the request is not checked.
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
