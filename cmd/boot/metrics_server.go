package boot

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// serveMetrics serves /metrics on LOCKBOX_METRICS_ADDR until stop is called. It does nothing if the setting is empty.
// Call stop only after the API has stopped, because the metrics must be available during a shutdown.
func (a *App) serveMetrics(api *httpapi.API) (stop func(), err error) {
	if a.config.MetricsAddr.IsZero() {
		return func() {}, nil
	}
	listener, err := net.Listen("tcp", a.config.MetricsAddr.String())
	if err != nil {
		return nil, fmt.Errorf("cannot listen on LOCKBOX_METRICS_ADDR=%s: %w", a.config.MetricsAddr, err)
	}
	a.metricsAddr = listener.Addr()
	a.log.Info("serving metrics", slog.String("address", a.metricsAddr.String()))
	server, ended := api.MetricsServer(), make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(httpapi.MetricsListener(listener)); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("serving metrics failed", slog.Any("error", err))
		}
	}()
	return func() {
		_ = server.Close() // a scrape needs no graceful end
		<-ended
	}, nil
}

// MetricsAddr returns the address on which the server serves metrics, or nil if LOCKBOX_METRICS_ADDR is empty. Call it
// only after Ready.
func (a *App) MetricsAddr() net.Addr { return a.metricsAddr }
