package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockbox-go/lockbox/api"
	"github.com/lockbox-go/lockbox/domain"
)

// metricsPath is the path of the Prometheus metrics.
const metricsPath = "/metrics"

// serverRoutes are the routes about the server itself. They all answer GET and HEAD, need no token, and belong to
// neither API.
var serverRoutes = []struct {
	path    string
	handler func(*API) echo.HandlerFunc
}{
	{"/healthz", func(a *API) echo.HandlerFunc { return a.health }},
	{"/readyz", func(a *API) echo.HandlerFunc { return a.ready }},
	{metricsPath, func(a *API) echo.HandlerFunc { return echo.WrapHandler(a.metrics(promhttp.HandlerOpts{})) }},
	{"/openapi.yaml", func(*API) echo.HandlerFunc { return serveFile("application/yaml", api.Description, nil) }},
	{"/docs", func(*API) echo.HandlerFunc { return serveFile("text/html; charset=utf-8", api.Page, pageHeaders()) }},
}

// ServerPaths lists the paths of the routes about the server itself. The API description is checked against this list.
func ServerPaths() []string {
	paths := make([]string, len(serverRoutes))
	for i, route := range serverRoutes {
		paths[i] = route.path
	}
	return paths
}

const (
	// readyTimeout bounds the database check, so that frequent probes do not accumulate while the database is slow.
	readyTimeout = 2 * time.Second
	// readyTTL is how long probes reuse the result of a database check. Any client can send probes. Without the reuse,
	// many probes would occupy database connections.
	readyTTL = 250 * time.Millisecond
)

// health reports that the process runs. It does not check the database. Otherwise a failure of the database would make
// an orchestrator restart the process, which would not repair the database.
func (a *API) health(c echo.Context) error { return plainText(c, "alive\n") }

// ready reports whether the server should receive requests.
func (a *API) ready(c echo.Context) error {
	// A draining server still answers requests, but load balancers should stop sending requests to it.
	if a.draining.Load() {
		return domain.Refuse(domain.Unavailable, "draining", "this server is shutting down")
	}
	if err := a.readiness.check(a.checkReady); err != nil {
		return err
	}
	return plainText(c, "ready\n")
}

// readiness is the last result of the database check. It is safe for concurrent use.
type readiness struct {
	mu  sync.Mutex // guards the fields below, and makes concurrent probes share one check
	at  time.Time
	err error
}

// check returns the last result if it is younger than readyTTL. Otherwise it calls run and stores the result. The call
// continues if the client of the probe disconnects, because other probes may wait for the same result.
func (r *readiness) check(run func(ctx context.Context) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.at) < readyTTL {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
	defer cancel()
	r.err = run(ctx)
	r.at = time.Now()
	return r.err
}

// welcomeText is shown to people who open the address of the server in a browser.
const welcomeText = `Welcome to Lockbox, a secrets manager for teams.
The API is described at /docs, and for programs at /openapi.yaml. Start with POST /init.
`

// welcome answers GET /.
func (a *API) welcome(r *request) error { return plainText(r, welcomeText) }

// pageHeaders returns security headers for the page at /docs. They forbid scripts, forms and external resources. They
// also prevent other sites from showing the page in a frame. They allow a style sheet inside the page only if its
// digest is api.StyleDigest.
func pageHeaders() map[string]string {
	return map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src '" + api.StyleDigest() +
			"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Referrer-Policy": "no-referrer",
	}
}

// serveFile serves a file that is built into the program. Caches may store it and revalidate it with its entity tag.
func serveFile(contentType string, content []byte, headers map[string]string) echo.HandlerFunc {
	// 12 bytes of the digest suffice: a collision would only make a client show an old page.
	digest := sha256.Sum256(content)
	tag := `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set(headerETag, tag)
		header.Set("Cache-Control", "no-cache")
		for name, value := range headers {
			header.Set(name, value)
		}
		if unmodified(c.Request().Header, tag) {
			return c.NoContent(http.StatusNotModified)
		}
		return blob(c, http.StatusOK, contentType, content)
	}
}
