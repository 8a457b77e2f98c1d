package boot

import (
	"context"
	"net/http"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/lockbox-go/lockbox/adapters/tracing"
)

// openTraces returns the provider of traces, or nil if no collector is configured.
func (a *App) openTraces(ctx context.Context) (*tracing.Provider, error) {
	collector := a.config.TracesURL.url
	if collector == nil {
		return nil, nil
	}
	return tracing.New(ctx, tracing.Config{
		Collector: collector,
		Headers:   a.config.derived.tracesHeaders,
		Ratio:     a.config.TracesRatio,
		Version:   Version(),
		Log:       a.log,
	})
}

// parseHeaders parses TRACES_HEADERS. The text contains NAME=value pairs with commas between them, as in the standard
// variable OTEL_EXPORTER_OTLP_HEADERS. parseHeaders returns nil for an empty text. The error does not repeat a value,
// because the value may be a credential.
func parseHeaders(text string) (http.Header, error) {
	if text == "" {
		return nil, nil
	}
	headers := make(http.Header)
	for pair := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(pair), "=")
		if !found || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return nil, mistake("TRACES_HEADERS",
				"must be comma-separated headers, each as NAME=VALUE, such as Authorization=Bearer abc")
		}
		headers.Add(name, value)
	}
	return headers, nil
}
