package boot

import (
	"context"

	"github.com/lockbox-go/lockbox/adapters/tracing"
)

// openTraces returns the provider of traces; nil without a collector.
func (a *App) openTraces(ctx context.Context) (*tracing.Provider, error) {
	collector := a.config.TracesURL.url
	if collector == nil {
		return nil, nil
	}
	return tracing.New(ctx, tracing.Config{
		Collector: collector,
		Ratio:     a.config.TracesRatio,
		Version:   Version(),
		Log:       a.log,
	})
}
