package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	// maxScrapes is the maximum number of concurrent responses of /metrics. Few are needed, because Prometheus scrapes
	// a server only once per interval.
	maxScrapes = 4
	// maxMetricsConnections bounds the connections of MetricsServer.
	maxMetricsConnections = 16
	// scrapeTimeout bounds the time to read a request and the time to write its response. It equals the default timeout
	// of a scrape in Prometheus.
	scrapeTimeout = 10 * time.Second
)

// metrics returns the handler of /metrics.
func (a *API) metrics(options promhttp.HandlerOpts) http.Handler {
	return promhttp.HandlerFor(a.registry, options)
}

// MetricsServer returns a server that answers GET and HEAD of /metrics and nothing else. Use it with MetricsListener.
func (a *API) MetricsServer() *http.Server {
	mux := http.NewServeMux()
	mux.Handle("GET "+metricsPath, a.metrics(promhttp.HandlerOpts{MaxRequestsInFlight: maxScrapes}))
	return &http.Server{
		Handler:                      mux,
		ReadTimeout:                  scrapeTimeout,
		WriteTimeout:                 scrapeTimeout,
		IdleTimeout:                  2 * time.Minute, // longer than a usual interval between scrapes
		MaxHeaderBytes:               8 << 10,
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// MetricsListener bounds the number of connections. Further connections wait.
func MetricsListener(listener net.Listener) net.Listener {
	return netutil.LimitListener(listener, maxMetricsConnections)
}
