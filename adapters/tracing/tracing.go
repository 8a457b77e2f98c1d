// Package tracing sends OpenTelemetry traces to a collector, with OTLP over HTTP. Spans enter a queue and are sent in
// the background, so a slow or absent collector never delays a request. The queue has a maximum length, so its memory
// is limited.
//
// Other packages create spans through the OpenTelemetry API, with a tracer from this package. Without a tracer, they
// create no spans. No attribute may contain a secret, a name from a request, or an address.
package tracing

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	// maxQueued is the maximum number of spans that wait for the collector. Further spans are dropped. A span of a
	// request needs about 1 KiB. A span of a batch has up to maxLinks links of 100 bytes each. The queue therefore
	// holds at most a few megabytes.
	maxQueued = 2048
	// maxExported is the maximum number of spans in one request to the collector.
	maxExported = 512
	// sendInterval is how long spans can wait in the queue before they are sent together in one request.
	sendInterval = 2 * time.Second
	// exportTimeout is the time limit of one export, including its retries. During an export, further spans wait in the
	// queue.
	exportTimeout = 10 * time.Second
	// closeTimeout is the time limit of Close, so an absent collector delays the end of the program only briefly.
	closeTimeout = 5 * time.Second
	// maxLinks is the maximum number of links of a span. The span of a batch belongs to the trace of one request, and
	// has a link to each other traced request of the batch.
	maxLinks = 128
	// maxAttributes is the maximum number of attributes of a span. Lockbox sets fewer.
	maxAttributes = 16
)

// Config configures a Provider. All fields except Headers are required.
type Config struct {
	// Collector is the URL that spans are sent to, such as http://localhost:4318/v1/traces.
	Collector *url.URL
	// Headers are HTTP headers for each request, for example with a credential. Nil means none.
	Headers http.Header
	// Ratio is the fraction of traces that this server records, from 0 to 1. It applies to traces that begin in this
	// server. If a request belongs to a trace of its caller, the caller decides whether the request is recorded. If
	// Ratio is 0, no request is recorded, even if the caller wants it.
	Ratio float64
	// Version is the version of the program.
	Version string
	// Log receives a warning when spans could not be sent, at most once a minute.
	Log *slog.Logger
}

// Provider makes and sends spans. It is safe for concurrent use.
type Provider struct{ sdk *sdktrace.TracerProvider }

// New returns a Provider. It does not connect to the collector, which may start later. It returns an error for
// malformed values in the standard variables of OpenTelemetry.
func New(ctx context.Context, config Config) (*Provider, error) {
	sender, err := otlptrace.New(ctx, newCollector(config))
	if err != nil {
		return nil, fmt.Errorf("create the exporter of traces: %w", err)
	}
	described, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "lockbox"),
			attribute.String("service.version", config.Version)),
		resource.WithFromEnv()) // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
	if err != nil {
		return nil, fmt.Errorf("read the attributes of the service: %w", err)
	}
	limits := sdktrace.NewSpanLimits()
	limits.AttributeCountLimit, limits.LinkCountLimit, limits.EventCountLimit = maxAttributes, maxLinks, maxAttributes
	return &Provider{sdktrace.NewTracerProvider(
		sdktrace.WithResource(described),
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithSampler(samplerOf(config.Ratio)),
		sdktrace.WithBatcher(&exporter{SpanExporter: sender, log: config.Log},
			sdktrace.WithMaxQueueSize(maxQueued),
			sdktrace.WithMaxExportBatchSize(maxExported),
			sdktrace.WithBatchTimeout(sendInterval),
			sdktrace.WithExportTimeout(exportTimeout)),
	)}, nil
}

// samplerOf returns the sampler for a ratio. If the ratio is 0, the sampler records no request, even if the request
// belongs to a trace that its caller records. A client therefore cannot start a recording with a header.
func samplerOf(ratio float64) sdktrace.Sampler {
	if ratio == 0 {
		return sdktrace.NeverSample()
	}
	return sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))
}

// Tracer returns the tracer of the program. It returns nil for a nil Provider, so no spans are made.
func (p *Provider) Tracer() trace.Tracer {
	if p == nil {
		return nil
	}
	return p.sdk.Tracer("github.com/lockbox-go/lockbox")
}

// Close spends at most closeTimeout on sending the queued spans, and drops the rest. It does nothing for a nil
// Provider.
func (p *Provider) Close() {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = p.sdk.Shutdown(ctx) // the exporter has logged failures
}
