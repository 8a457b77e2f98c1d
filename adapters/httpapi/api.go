// Package httpapi serves Lockbox over HTTP, with JSON bodies, on Echo.
//
// A request passes through these files:
//
//   - observe.go gives the request an id, recovers from panics, and counts and logs the request.
//   - routes.go is the table of routes. Each route has a contract (contract.go): the Lockbox API, or the accounts API
//     under /api/v1. A contract decides where a token is read from, how large a body may be, and how an error looks.
//   - request.go runs the route: it identifies the caller, admits the body, and calls the handler.
//   - admission.go limits the requests in flight of each user and address. bounds.go defines the limits, shares.go
//     divides them among users and addresses, and connections.go limits the connections.
//   - The handlers are named after their resource: boxes.go, entries.go, accounts_users.go. A handler decodes the
//     input, calls one use case, and encodes its result.
//   - errors.go turns every error into a response. No other file maps kinds of errors to status codes.
//   - listener.go and unhandled.go answer requests that the HTTP server refuses before they reach a handler.
//
// HTTP terms, such as header names and entity tags, appear only in this package.
package httpapi

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/domain/vault"
)

// Config has the dependencies and settings of the API. The dependencies are required.
type Config struct {
	// Identity also provides the use cases of the accounts API.
	Identity *identity.Service
	Vault    *vault.Service
	// Droplets is required. If no droplet host is configured, the use cases of Droplets return Unavailable.
	Droplets *droplets.Service
	// Verify checks the signature and the expiry of a signed token and returns the credential in it. It does not check
	// whether the token is revoked. It returns domain.Unauthenticated for a token that is not valid.
	Verify func(ctx context.Context, token string) (domain.Credential, error)
	// CheckReady returns nil when the server can serve requests. Its context ends after two seconds.
	CheckReady func(ctx context.Context) error
	// Log receives the access log and failures of the server.
	Log *slog.Logger
	// Metrics is served at /metrics. The API adds its own metrics to this registry.
	Metrics *prometheus.Registry
	// If SeparateMetrics is true, the API does not serve /metrics; MetricsServer serves it.
	SeparateMetrics bool

	// Bounds limits the connections, requests and memory that clients can occupy. The zero value means the limits for 1
	// GiB of memory.
	Bounds Bounds
	// MaxBodyBytes is the largest request body. Requests without a token and the accounts API have lower limits.
	MaxBodyBytes int64
	// TrustedProxies are the peers from which the server accepts X-Forwarded-For. If the list is empty, no peer is
	// trusted.
	TrustedProxies []netip.Prefix
	// RequestTime limits how long the server works on a request. The time in which the body arrives does not count.
	// Zero means 14 seconds. With this limit, the server answers every request within 20 seconds, except on slow routes
	// (see slowRequestTime).
	RequestTime time.Duration
	// CORSOrigins are the origins that browsers may call from. An empty list turns CORS off.
	CORSOrigins []string
	// LoopbackOnly refuses requests whose Host or Origin header contains the name of another machine; see origins.
	LoopbackOnly bool
	// OpenInit means that POST /init requires no token. The server then refuses a POST /init that a web page of another
	// site sends.
	OpenInit bool
	// Tracer creates a span for each request. If it is nil, no spans are created.
	Tracer trace.Tracer
}

// API answers HTTP requests. It is an http.Handler, safe for concurrent use.
//
// Handlers can call the use cases of the services, but cannot read the configuration of the services.
type API struct {
	identity *identity.Service
	accounts identity.Accounts
	vault    *vault.Service
	droplets *droplets.Service

	verifySigned func(ctx context.Context, token string) (domain.Credential, error)
	checkReady   func(ctx context.Context) error
	maxBodyBytes int64
	requestTime  time.Duration
	bounds       Bounds
	admission    *admission
	connections  *connections

	echo *echo.Echo
	// contracts maps the path template of each route to the contract of the route.
	contracts map[string]contract
	proxies   trustedProxies
	log       *slog.Logger
	registry  *prometheus.Registry
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	draining  atomic.Bool
	readiness readiness
	tracer    trace.Tracer
}

// New returns the API with all its routes.
func New(config Config) *API {
	a := &API{
		identity:     config.Identity,
		vault:        config.Vault,
		droplets:     config.Droplets,
		verifySigned: config.Verify,
		checkReady:   config.CheckReady,
		maxBodyBytes: config.MaxBodyBytes,
		requestTime:  config.RequestTime,
		bounds:       config.Bounds,
		echo:         echo.New(),
		contracts:    make(map[string]contract),
		log:          config.Log,
		registry:     config.Metrics,
		tracer:       config.Tracer,
	}
	if a.requestTime == 0 {
		a.requestTime = requestTime
	}
	if a.bounds == (Bounds{}) {
		a.bounds = NewBounds(assumedMemory)
	}
	a.admission = newAdmission(a.bounds)
	a.connections = newConnections(a.bounds)
	if config.Identity != nil { // nil in tests whose requests reach no use case
		a.accounts = config.Identity.Accounts()
	}
	a.echo.HideBanner, a.echo.HidePort = true, true
	a.echo.HTTPErrorHandler = a.writeError
	a.echo.IPExtractor = a.proxies.trust(config.TrustedProxies)
	a.registerMetrics()
	// Middleware added with Pre runs before the router. Middleware added with Use runs in the order of the calls.
	// observe is the first, so it also logs the responses that CORS sends.
	a.echo.Pre(matchEscapedPath)
	a.echo.Use(a.observe)
	a.echo.Use(origins{
		loopbackOnly: config.LoopbackOnly,
		openInit:     config.OpenInit,
		allowed:      config.CORSOrigins,
	}.check)
	if len(config.CORSOrigins) > 0 {
		a.echo.Use(cors(config.CORSOrigins))
	}
	a.echo.Use(matchExactPath)
	a.addRoutes(config.SeparateMetrics)
	return a
}

// addRoutes registers the routes of both contracts and the routes about the server itself.
func (a *API) addRoutes(separateMetrics bool) {
	for _, route := range Routes() {
		a.addRoute(route.Method, route.Path, a.handle(route))
		a.contracts[route.Path] = route.contract
	}
	for _, route := range serverRoutes {
		if route.path == metricsPath && separateMetrics {
			continue
		}
		a.addRoute(http.MethodGet, route.path, a.admitted(route.path, route.handler(a)))
		a.contracts[route.path] = contractOf(route.path)
	}
}

// addRoute adds a route. A GET route also answers HEAD: the same handler authorises and audits the request, and the
// HTTP server omits the body.
func (a *API) addRoute(method, path string, handler echo.HandlerFunc) {
	a.echo.Add(method, path, handler)
	if method == http.MethodGet {
		a.echo.Add(http.MethodHead, path, handler)
	}
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.withHandlerBound(w, r) }

// Drain makes /readyz return 503 from now on, so that load balancers stop sending requests. Other requests are still
// answered.
func (a *API) Drain() { a.draining.Store(true) }

// allMethods is the value of the header Allow in the response to OPTIONS *.
const allMethods = "OPTIONS, GET, HEAD, POST, PUT, PATCH, DELETE"

// writeTimeout bounds the time from the arrival of a request's header to the end of the response.
const writeTimeout = 60 * time.Second

// Server returns an http.Server for the API, to be used with API.Listener. Its timeouts disconnect slow clients.
func (a *API) Server() *http.Server {
	return &http.Server{
		Handler: a,
		// A request header fits into a few packets, so its timeout is short. ReadTimeout is longer, because a body may
		// be large and its client slow.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       bodyTime,
		// This timeout is long, because a request may wait for a key derivation and then for the database.
		WriteTimeout:   writeTimeout,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: maxHeaderBytes,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerConnection: streamWindow,
			MaxReceiveBufferPerStream:     streamWindow,
			// The server disconnects a client that accepts no bytes for this long.
			WriteByteTimeout: 20 * time.Second,
		},
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return withConnection(withConn(ctx, conn), conn)
		},
		// matchExactPath answers OPTIONS *. If net/http answered this request instead, the response would not have the
		// usual headers.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
}

// matchEscapedPath makes the router match the path in its encoded form. An encoded slash then stays inside its segment,
// and request.param decodes each parameter exactly once.
func matchEscapedPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		url := c.Request().URL
		url.RawPath = url.EscapedPath()
		return next(c)
	}
}

// matchExactPath refuses a path that has more segments than its route, such as /boxes/a/b for /boxes/{box}. Without
// this check, the last parameter would be "a/b", because Echo's router includes the rest of the path.
//
// matchExactPath also answers OPTIONS *. This request has no path and concerns the whole server.
func matchExactPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method == http.MethodOptions && c.Request().RequestURI == "*" {
			c.Response().Header().Set(echo.HeaderAllow, allMethods)
			return c.NoContent(http.StatusNoContent)
		}
		template := c.Path()
		if template != "" && strings.Count(template, "/") != strings.Count(c.Request().URL.RawPath, "/") {
			c.SetPath("") // logs, metrics and errors treat the path as unknown
			return echo.ErrNotFound
		}
		return next(c)
	}
}

// cors allows web pages of the given origins to call the API. It never allows a browser to send cookies or other stored
// credentials, because clients send tokens in a header.
func cors(origins []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:  origins,
		AllowMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowHeaders:  []string{"Authorization", "Content-Type", headerEncryptionKey, headerIfMatch, headerIfNoneMatch},
		ExposeHeaders: []string{headerAPIKey, "Location", headerETag},
		MaxAge:        600,
	})
}
