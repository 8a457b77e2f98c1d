package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/lockbox-go/lockbox/api"
	"github.com/lockbox-go/lockbox/domain"
)

// serverRoutes are the requests about the server itself: all GET, for anybody, and in no contract.
var serverRoutes = []struct {
	path    string
	handler func(*API) echo.HandlerFunc
}{
	{"/healthz", func(a *API) echo.HandlerFunc { return a.health }},
	{"/readyz", func(a *API) echo.HandlerFunc { return a.ready }},
	{"/metrics", func(a *API) echo.HandlerFunc {
		return echo.WrapHandler(promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{}))
	}},
	{"/openapi.yaml", func(*API) echo.HandlerFunc { return serveFile("application/yaml", api.Description, nil) }},
	{"/docs", func(*API) echo.HandlerFunc { return serveFile("text/html; charset=utf-8", api.Page, pageHeaders()) }},
}

// ServerPaths lists the paths of the requests about the server itself. The description is checked against it.
func ServerPaths() []string {
	paths := make([]string, len(serverRoutes))
	for i, route := range serverRoutes {
		paths[i] = route.path
	}
	return paths
}

func (a *API) health(c echo.Context) error { return c.String(http.StatusOK, "alive\n") }

func (a *API) ready(c echo.Context) error {
	if a.draining.Load() {
		return domain.Refuse(domain.Unavailable, "draining", "this server is stopping")
	}
	ctx, cancel := context.WithTimeout(c.Request().Context(), 2*time.Second)
	defer cancel()
	if err := a.CheckReady(ctx); err != nil {
		return err
	}
	return c.String(http.StatusOK, "ready\n")
}

// pageHeaders keep the page from loading, running or sending anything, and others from framing it. Its style stands in
// the page, and is known by its digest.
func pageHeaders() map[string]string {
	return map[string]string{
		"Content-Security-Policy": "default-src 'none'; style-src '" + api.StyleDigest() +
			"'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
		"Referrer-Policy": "no-referrer",
	}
}

// serveFile answers with a file that changes only with the program: caches may keep it, and ask whether it is the same.
func serveFile(contentType string, content []byte, headers map[string]string) echo.HandlerFunc {
	digest := sha256.Sum256(content)
	tag := `"` + base64.RawURLEncoding.EncodeToString(digest[:12]) + `"`
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Set("ETag", tag)
		header.Set("Cache-Control", "no-cache")
		for name, value := range headers {
			header.Set(name, value)
		}
		if strings.Contains(strings.Join(c.Request().Header.Values("If-None-Match"), ","), tag) {
			return c.NoContent(http.StatusNotModified)
		}
		return c.Blob(http.StatusOK, contentType, content)
	}
}
