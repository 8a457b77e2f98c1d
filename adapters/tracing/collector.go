package tracing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// collector sends spans with OTLP over HTTP, in binary form. It implements otlptrace.Client. OpenTelemetry's own
// exporter for this protocol would add gRPC to the program, although no code would use gRPC.
type collector struct {
	url     string
	headers http.Header
	client  *http.Client
}

const (
	// retryDelay is the wait before the first retry of a request. The wait doubles with each further retry.
	retryDelay = time.Second
	// maxAnswer is the maximum number of bytes that are read from a response body. The body is read only so that the
	// connection can be used again.
	maxAnswer = 64 << 10
)

// newCollector returns a collector that shares its connections with no other client.
func newCollector(config Config) *collector {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxResponseHeaderBytes = maxResponseHeader
	return &collector{
		url:     config.Collector.String(),
		headers: config.Headers,
		client: &http.Client{
			Transport: transport,
			// A redirect could send the headers, which may have a credential, to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Start does nothing, because the first request opens the connection.
func (c *collector) Start(context.Context) error { return nil }

// Stop closes idle connections.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans. If a request fails for a temporary reason, UploadTraces retries it until ctx ends. Its
// errors do not contain the URL, the headers or the response. The URL and the headers may contain secrets.
func (c *collector) UploadTraces(ctx context.Context, spans []*wire.ResourceSpans) error {
	// TracesData and an OTLP request have the same encoding.
	body, err := proto.Marshal(&wire.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	for delay := retryDelay; ; delay *= 2 {
		temporary, err := c.post(ctx, body)
		if err == nil || !temporary {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(delay):
		}
	}
}

// post sends one request, and reports whether a failure is temporary.
func (c *collector) post(ctx context.Context, body []byte) (temporary bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the URL of the collector is malformed")
	}
	for name, values := range c.headers {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := c.client.Do(request)
	if err != nil {
		return !errors.Is(err, context.Canceled), fmt.Errorf("the request to the collector failed: %w", failureOf(err))
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.CopyN(io.Discard, response.Body, maxAnswer)
	switch response.StatusCode {
	case http.StatusOK:
		return false, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, fmt.Errorf("the collector answered with status %d", response.StatusCode)
	}
	return false, fmt.Errorf("the collector answered with status %d", response.StatusCode)
}
