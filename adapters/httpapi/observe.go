package httpapi

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
)

// durationBuckets are the upper bounds of the histogram buckets, in seconds. Reads and writes of entries fall into the
// lowest buckets. Sign-ins that wait for a key derivation fall into the highest buckets.
var durationBuckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}

// registerMetrics registers the metrics of requests. The label values come from the route table and from methodOf, so a
// client cannot create an unlimited number of time series.
func (a *API) registerMetrics() {
	a.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "lockbox_http_requests_total",
		Help: "Number of HTTP requests answered, by method, route template and status.",
	}, []string{"method", "route", "status"})
	a.durations = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "lockbox_http_request_duration_seconds",
		Help: "Time in seconds from the first byte of a request's header to the last byte of its response, " +
			"by method and route template.",
		Buckets: durationBuckets,
	}, []string{"method", "route"})
	a.registry.MustRegister(a.requests, a.durations, boundsCollector{a})
}

// observe is the outermost middleware. It sets the request id, calls the next handler, and writes the response for an
// error or a panic. It then counts and logs the request. Logs and metrics contain the template of the route. They never
// contain the path, because a path may contain a token.
func (a *API) observe(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := time.Now()
		header := c.Response().Header()
		header.Set(echo.HeaderXRequestID, requestID(c.Request()))
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		a.proxies.warn(a.log, c.Request())
		request, conn, end := a.begin(c.Request())
		defer end()
		c.SetRequest(request)
		span := a.startSpan(c)
		// The error is written here, before the status is counted. Otherwise Echo would write it only after this
		// middleware has returned.
		if err := recovered(next, c); err != nil {
			c.Error(err)
		}
		line := a.lineOf(c, time.Since(start))
		endSpan(span, &line)
		a.report(conn, line)
		return nil
	}
}

// recovered calls next and returns a panic as an error. The error contains the stack and the type of the panic value.
// It does not contain the value, because the value may be a secret.
func recovered(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic of type %T\n%s", reason, debug.Stack())
		}
	}()
	return next(c)
}

// maxRequestID is the maximum length of a request id from a client, in bytes.
const maxRequestID = 128

// requestID returns the client's X-Request-Id if it consists of 1 to 128 characters from [A-Za-z0-9._-], which are safe
// to log. Otherwise requestID returns a new id.
func requestID(r *http.Request) string {
	id := r.Header.Get(echo.HeaderXRequestID)
	if len(id) == 0 || len(id) > maxRequestID {
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

// noRoute replaces every path that matches no route. The client chooses such a path, so the path itself is not logged.
const noRoute = "(none)"

// routeOf returns the path template of the route, or noRoute.
func (a *API) routeOf(c echo.Context) string {
	if path := c.Path(); a.contracts[path] != nil {
		return path
	}
	return noRoute
}

// requestLine is a line of the access log. It stays valid after the request, unlike an echo.Context.
type requestLine struct {
	ctx                        context.Context
	method, route, address, id string
	status                     int
	took                       time.Duration
	bytes                      int64
	// trace is the trace id of the request, or empty if the request is not traced.
	trace string
}

// lineOf returns the access log line for a request that has been answered.
func (a *API) lineOf(c echo.Context, took time.Duration) requestLine {
	return requestLine{
		ctx:     c.Request().Context(),
		method:  methodOf(c.Request()),
		route:   a.routeOf(c),
		address: c.RealIP(),
		id:      c.Response().Header().Get(echo.HeaderXRequestID),
		status:  c.Response().Status,
		took:    took,
		bytes:   c.Response().Size,
	}
}

// report counts and logs a request. If the client has closed its sending side, the report is delayed until the
// connection is closed. Only then does the server know whether the client has received the response. conn may be nil.
func (a *API) report(conn *answeringConn, line requestLine) {
	if conn == nil || !conn.inputEnded() || !a.reportAtClose(conn, line) {
		a.logRequest(line)
	}
}

// reportAtClose logs a request when its connection is closed; see answeringConn.reportAtClose. The closure in this
// function moves the line to the heap. If the closure were in the function API.report, every request would allocate
// memory for its line.
func (a *API) reportAtClose(conn *answeringConn, line requestLine) bool {
	return conn.reportAtClose(func(clientLeft bool) {
		if clientLeft {
			line.status = statusClientClosed
		}
		a.logRequest(line)
	})
}

// logRequest counts a request and writes the access log. Requests of probes and of the metrics scraper are logged at
// level debug, because they repeat every few seconds.
func (a *API) logRequest(line requestLine) {
	a.requests.WithLabelValues(line.method, line.route, strconv.Itoa(line.status)).Inc()
	a.durations.WithLabelValues(line.method, line.route).Observe(line.took.Seconds())
	level, log := slog.LevelInfo, a.log
	if isProbe(line.route) {
		level = slog.LevelDebug
	}
	if line.trace != "" {
		log = log.With(slog.String("trace_id", line.trace))
	}
	log.LogAttrs(line.ctx, level, "request",
		slog.String("method", line.method), slog.String("route", line.route), slog.Int("status", line.status),
		slog.Float64("ms", float64(line.took.Microseconds())/1000), slog.Int64("bytes", line.bytes),
		slog.String("address", line.address), slog.String("request_id", line.id))
}

// methodOf returns the method of a request for logs and metrics. For an unknown method, it returns OTHER. A client can
// invent any number of methods, and each new label value takes memory permanently.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead,
		http.MethodOptions:
		return r.Method
	default:
		return "OTHER"
	}
}
