package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// headerTraceParent names the trace of the caller (W3C Trace Context). The related header tracestate is ignored,
// because a client could put any text into it, and the server would send that text to the collector.
const headerTraceParent = "traceparent"

// startSpan begins the span of a request and makes it part of the context. The span belongs to the trace that the
// caller names, if any. startSpan returns nil if traces are off, and for the requests of probes and of the metrics
// scraper.
func (a *API) startSpan(c echo.Context) trace.Span {
	if a.tracer == nil || isProbe(c.Path()) {
		return nil
	}
	request := c.Request()
	ctx := propagation.TraceContext{}.Extract(request.Context(),
		propagation.MapCarrier{headerTraceParent: request.Header.Get(headerTraceParent)})
	ctx, span := a.tracer.Start(ctx, methodOf(request), trace.WithSpanKind(trace.SpanKindServer))
	c.SetRequest(request.WithContext(ctx))
	return span
}

// endSpan ends the span of a request, and adds its trace to the access log. The attributes are the same as the labels
// of the metrics: they come from the route table and from methodOf, so they contain nothing that the client has chosen.
// The address of the client and the request id are in the log, but not in the span.
func endSpan(span trace.Span, line *requestLine) {
	if span == nil {
		return
	}
	if traced := span.SpanContext(); traced.IsSampled() {
		line.trace = traced.TraceID().String()
	}
	span.SetName(line.method + " " + line.route)
	span.SetAttributes(attribute.String("http.request.method", line.method), attribute.String("http.route", line.route),
		attribute.Int("http.response.status_code", line.status))
	if line.status >= http.StatusInternalServerError {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// isProbe reports whether a route is requested every few seconds by a machine.
func isProbe(route string) bool {
	return route == "/healthz" || route == "/readyz" || route == "/metrics"
}
