package postgres

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
)

// traceBatches returns the function that makes spans for the batches of a batcher. It returns nil if tracer is nil.
//
// The trace of each request must show the statement for which the request waited, although the requests of a batch
// share a statement. The span of a batch is therefore a child of the span of the first traced request. The span of
// every other traced request and the span of the batch link to each other. If no request of a batch is traced, the
// batch has no span.
func traceBatches(tracer trace.Tracer, name string) batch.ObserveFunc {
	if tracer == nil {
		return nil
	}
	return func(ctx context.Context, requests []context.Context) (context.Context, func(error)) {
		traced := tracedSpans(requests)
		if len(traced) == 0 {
			return ctx, func(error) {}
		}
		links := make([]trace.Link, 0, len(traced)-1)
		for _, request := range traced[1:] {
			links = append(links, trace.Link{SpanContext: request.SpanContext()})
		}
		ctx, span := tracer.Start(trace.ContextWithSpan(ctx, traced[0]), name, trace.WithLinks(links...),
			trace.WithAttributes(attribute.Int("lockbox.batch.requests", len(requests))))
		for _, request := range traced[1:] {
			request.AddLink(trace.Link{SpanContext: span.SpanContext()})
		}
		return ctx, func(err error) {
			if err != nil {
				span.SetStatus(codes.Error, "") // the text of an error may contain data
			}
			span.End()
		}
	}
}

// tracedSpans returns the spans of the requests that are sampled. The argument holds the contexts of the requests.
func tracedSpans(requests []context.Context) (traced []trace.Span) {
	for _, request := range requests {
		if span := trace.SpanFromContext(request); span.SpanContext().IsSampled() {
			traced = append(traced, span)
		}
	}
	return traced
}
