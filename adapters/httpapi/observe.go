package httpapi

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

func (a *API) registerMetrics() {
	a.requests = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "lockbox_http_requests_total",
		Help: "Requests answered, by route and status."}, []string{"method", "route", "status"})
	a.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "lockbox_http_request_duration_seconds",
		Help:    "Time from the first byte of a request's header to the last of its answer, by route.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}},
		[]string{"method", "route"})
	a.Metrics.MustRegister(a.requests, a.durations)
}

// observe stands around everything: it gives the request its id, keeps a panic from ending more than the request, and
// counts and logs what became of it. Logs and metrics know the route's template, never the path, which may hold a token.
func (a *API) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		begin := time.Now()
		header := c.Response().Header()
		header.Set(echo.HeaderXRequestID, requestID(c.Request()))
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		a.warnOfProxy(c.Request())
		if err := recovered(next, c); err != nil {
			c.Error(err)
		}
		a.record(c, time.Since(begin))
		return nil
	}
}

func recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic of type %T\n%s", reason, debug.Stack()) // the value itself could hold anything
		}
	}()
	return next(c)
}

// requestID keeps the caller's id when it is 1 to 128 of [A-Za-z0-9._-].
func requestID(r *http.Request) string {
	id := r.Header.Get(echo.HeaderXRequestID)
	if len(id) == 0 || len(id) > 128 {
		return uuid.NewString()
	}
	for i := range len(id) {
		c := id[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-') {
			return uuid.NewString()
		}
	}
	return id
}

const noRoute = "(none)"

// routeOf returns the template of the route. An unknown path has none: it is whatever somebody sent.
func (a *API) routeOf(c echo.Context) string {
	if path := c.Path(); a.templates[path] {
		return path
	}
	return noRoute
}

func (a *API) record(c echo.Context, took time.Duration) {
	method, route, status := methodOf(c.Request()), a.routeOf(c), c.Response().Status
	a.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	a.durations.WithLabelValues(method, route).Observe(took.Seconds())
	level := slog.LevelInfo
	if route == "/healthz" || route == "/readyz" || route == "/metrics" {
		level = slog.LevelDebug
	}
	a.Log.LogAttrs(c.Request().Context(), level, "request",
		slog.String("method", method), slog.String("route", route), slog.Int("status", status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.Int64("bytes", c.Response().Size),
		slog.String("address", c.RealIP()), slog.String("request_id", c.Response().Header().Get(echo.HeaderXRequestID)))
}

// methodOf keeps what somebody made up out of the metrics, where each word costs memory for ever.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead,
		http.MethodOptions:
		return r.Method
	default:
		return "OTHER"
	}
}

type ipNet = net.IPNet

// trustProxies decides whose word counts for where a request comes from. Without trusted proxies it is the peer's
// address, and what a header says does not count.
func (a *API) trustProxies() {
	if len(a.TrustedProxies) == 0 {
		a.echo.IPExtractor = echo.ExtractIPDirect()
		return
	}
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range a.TrustedProxies {
		bits := prefix.Addr().BitLen()
		network := &ipNet{IP: prefix.Masked().Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), bits)}
		a.trustedProxies = append(a.trustedProxies, network)
		options = append(options, echo.TrustIPRange(network))
	}
	a.echo.IPExtractor = echo.ExtractIPFromXFFHeader(options...)
}

// forwardsUntrusted reports whether the peer forwards requests of others who is not trusted to say for whom.
func (a *API) forwardsUntrusted(r *http.Request) bool {
	if r.Header.Get(echo.HeaderXForwardedFor) == "" {
		return false
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	peer := net.ParseIP(host)
	return !slices.ContainsFunc(a.trustedProxies, func(network *ipNet) bool { return network.Contains(peer) })
}

// warnOfProxy says once that somebody forwards requests who is not trusted to: all clients look like one then.
func (a *API) warnOfProxy(r *http.Request) {
	if a.forwardsUntrusted(r) && !a.warnedOfProxy.Swap(true) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		a.Log.Warn("a peer sends X-Forwarded-For and is not among LOCKBOX_TRUSTED_PROXIES: the header is ignored",
			slog.String("peer", host))
	}
}
