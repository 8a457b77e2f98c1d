package httpapi

import (
	"io"
	"log/slog"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// BenchmarkTraces answers GET / with traces off, with traces that are not recorded, and with recorded traces. It fails
// if startSpan or endSpan allocates memory when traces are off.
func BenchmarkTraces(b *testing.B) {
	tracer := func(sampler sdktrace.Sampler) trace.Tracer {
		return sdktrace.NewTracerProvider(sdktrace.WithSampler(sampler)).Tracer("test")
	}
	for name, tracer := range map[string]trace.Tracer{
		"off":      nil,
		"dropped":  tracer(sdktrace.NeverSample()),
		"recorded": tracer(sdktrace.AlwaysSample()),
	} {
		b.Run(name, func(b *testing.B) {
			a := New(Config{
				Log:     slog.New(slog.NewTextHandler(io.Discard, nil)),
				Metrics: prometheus.NewRegistry(),
				Tracer:  tracer,
			})
			if name == "off" {
				c := echo.New().NewContext(httptest.NewRequest("GET", "/", nil), httptest.NewRecorder())
				line := requestLine{}
				if allocated := testing.AllocsPerRun(100, func() { endSpan(a.startSpan(c), &line) }); allocated != 0 {
					b.Fatalf("traces allocate %v times when they are off", allocated)
				}
			}
			request := httptest.NewRequest("GET", "/", nil)
			b.ReportAllocs()
			for b.Loop() {
				a.ServeHTTP(httptest.NewRecorder(), request)
			}
		})
	}
}
