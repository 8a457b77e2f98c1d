package kdf

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/ports"
)

// startSpan begins the span of a key derivation. The span includes the wait in the queue. For a request that is not
// traced, it makes no span and returns the context unchanged.
func (p *Pool) startSpan(ctx context.Context, use ports.Workload, params ports.Argon2Params) (context.Context, func()) {
	if !trace.SpanContextFromContext(ctx).IsSampled() {
		return ctx, func() {}
	}
	workload := "passwords"
	if use == ports.EntryWork {
		workload = "entries"
	}
	ctx, span := p.config.Tracer.Start(ctx, "key derivation", trace.WithAttributes(
		attribute.String("lockbox.kdf.workload", workload),
		attribute.Int("lockbox.kdf.memory_kib", int(params.MemoryKiB)),
		attribute.Int("lockbox.kdf.passes", int(params.Time))))
	return ctx, func() { span.End() }
}
