package httpapi

import (
	"net/http"

	"github.com/labstack/echo/v4"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// headerTraceParent is the header with the id of the client's trace (W3C Trace Context). The server ignores the related
// header tracestate. Otherwise a client could put any text into it, and the server would send this text to the
// collector.
const headerTraceParent = "traceparent"

// startSpan begins the span of a request and makes it part of the context. If the client sends the id of a trace, the
// span belongs to this trace. startSpan returns nil if traces are off. It also returns nil for requests of probes and
// of the metrics scraper.
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

// endSpan ends the span of a request and adds the id of its trace to the access log line. The attributes of the span
// are the labels of the metrics, which contain no text that the client has chosen. The address of the client and the
// request id are in the log, but not in the span.
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

// isProbe reports whether a route is for probes or for the metrics scraper, which send a request every few seconds.
func isProbe(route string) bool {
	return route == "/healthz" || route == "/readyz" || route == "/metrics"
}
