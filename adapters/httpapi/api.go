// Package httpapi is how the outside reaches Lockbox: HTTP with JSON, on Echo.
//
// routes.go is the one table of requests. A handler binds what was sent, calls one use case and answers; every failure
// leaves through errors.go, the only place that knows status codes.
package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/droplets"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/domain/vault"
)

// Config is what the API needs. All parts are required; settings at the end may be zero.
type Config struct {
	Identity *identity.Service
	Vault    *vault.Service
	Droplets *droplets.Service
	// Verify checks the signature of a token; Unauthenticated when it is not good.
	Verify func(ctx context.Context, token string) (domain.Credential, error)
	// CheckReady returns nil when the service can do its work.
	CheckReady func(ctx context.Context) error
	Log        *slog.Logger
	Metrics    *prometheus.Registry

	MaxBodyBytes int64
	// TrustedProxies are the peers whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	// CORSOrigins are the origins that browsers may call from; none turns CORS off.
	CORSOrigins []string
}

// API answers HTTP requests. It is an http.Handler.
type API struct {
	Config
	echo           *echo.Echo
	requests       *prometheus.CounterVec
	durations      *prometheus.HistogramVec
	draining       atomic.Bool
	warnedOfProxy  atomic.Bool
	trustedProxies []*ipNet
	templates      map[string]bool     // of all routes
	bodies         *semaphore.Weighted // bytes of large bodies that may be read at once
}

// New makes the API with all its routes.
func New(config Config) *API {
	a := &API{Config: config, echo: echo.New(), bodies: semaphore.NewWeighted(largeBodies * config.MaxBodyBytes)}
	a.echo.HideBanner, a.echo.HidePort = true, true
	a.echo.HTTPErrorHandler = a.writeError
	a.trustProxies()
	a.registerMetrics()
	a.echo.Pre(matchEscapedPath)
	a.echo.Use(a.observe)
	if len(config.CORSOrigins) > 0 {
		a.echo.Use(cors(config.CORSOrigins))
	}
	for _, route := range Routes() {
		a.echo.Add(route.Method, route.Path, a.handle(route))
	}
	for _, route := range serverRoutes {
		a.echo.GET(route.path, route.handler(a))
	}
	a.templates = make(map[string]bool)
	for _, route := range a.echo.Routes() {
		a.templates[route.Path] = true
	}
	return a
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.echo.ServeHTTP(w, r) }

// Drain makes /readyz answer 503 from now on, so that whoever balances load looks elsewhere.
func (a *API) Drain() { a.draining.Store(true) }

// Server returns an http.Server for the API whose slow clients are cut off.
func (a *API) Server() *http.Server {
	return &http.Server{
		Handler:           a,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second,
		// Long enough for a request that waits its turn to derive a key and then for the database.
		WriteTimeout:   60 * time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug),
	}
}

// matchEscapedPath makes the router see every path as it was sent, so that an encoded slash stays within its segment
// and each parameter is decoded once, by us.
func matchEscapedPath(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		url := c.Request().URL
		url.RawPath = url.EscapedPath()
		return next(c)
	}
}

func cors(origins []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:  origins,
		AllowMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowHeaders:  []string{"Authorization", "Content-Type", "X-Encryption-Key", "If-Match", "If-None-Match"},
		ExposeHeaders: []string{"X-API-Key", "Location", "ETag"},
		MaxAge:        600,
	})
}

const welcome = `Welcome to Lockbox, where a team keeps its credentials.
The requests are described at /docs, and for programs at /openapi.yaml; begin with POST /init.
`

func (a *API) welcome(c echo.Context, _ domain.Requester) error {
	return c.String(http.StatusOK, welcome)
}
