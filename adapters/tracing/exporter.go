package tracing

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// warnInterval is the shortest time between two warnings about the collector.
const warnInterval = time.Minute

// exporter wraps another exporter and logs its failures. Without this wrapper, OpenTelemetry would report the failures
// to a global handler, which prints each of them.
type exporter struct {
	sdktrace.SpanExporter
	log *slog.Logger

	mu     sync.Mutex // guards the fields below
	lost   int        // spans since the last warning
	warned time.Time
}

// ExportSpans sends spans. If sending fails, it logs the failure and drops the spans. It always returns nil.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.warn(len(spans), err)
	}
	return nil
}

// warn logs a failure if warnInterval has passed since the last warning. Otherwise, it only counts the lost spans for
// the next warning.
func (e *exporter) warn(lost int, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost += lost
	if time.Since(e.warned) < warnInterval {
		return
	}
	e.log.Warn("sending traces failed; requests are not affected", slog.Int("lost_spans", e.lost),
		slog.Any("error", err))
	e.lost, e.warned = 0, time.Now()
}
