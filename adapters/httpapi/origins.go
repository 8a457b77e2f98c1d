package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/lockbox-go/lockbox/domain"
)

// origins decides which web pages may send requests to this server. A web page of any site can make a browser send
// requests to a loopback address of the browser's machine. This is dangerous if a client needs no secret to take over
// the server, for example with POST /init.
//
// With DNS rebinding, the page can even read the responses. The host name of the site first resolves to the server of
// the site, and later to 127.0.0.1. The headers Host and Origin still contain the host name of the site in that case.
type origins struct {
	// If loopbackOnly is true, the Host of every request must be a loopback name, and the method admits must return
	// true for its Origin.
	loopbackOnly bool
	// openInit means that POST /init requires no token. Web pages may then send POST /init only if they are on loopback
	// or CORS allows them.
	openInit bool
	// allowed are the origins that CORS allows; "*" allows all.
	allowed []string
}

// The refusals of origins.
var (
	errForeignHost = domain.Refuse(domain.Forbidden, "foreign_host",
		"the host in the URL and the origin of the web page must be localhost or 127.0.0.1")
	errForeignInit = domain.Refuse(domain.Forbidden, "foreign_host",
		"POST /init from a web page requires an initialization token: set LOCKBOX_INIT_TOKEN")
)

// check is a middleware that refuses requests as the comment of the type origins describes.
func (o origins) check(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		origin := r.Header.Get(echo.HeaderOrigin)
		if o.loopbackOnly && (!isLoopback(r.Host) || !o.admits(origin)) {
			return errForeignHost
		}
		if o.openInit && r.Method == http.MethodPost && c.Path() == "/init" && origin != "" &&
			(!isLoopback(r.Host) && !o.allows(origin) || !o.admits(origin)) {
			return errForeignInit
		}
		return next(c)
	}
}

// admits reports whether an origin is empty, has a loopback host, or is allowed by CORS. The argument is the value of
// the header Origin.
func (o origins) admits(origin string) bool {
	if origin == "" || o.allows(origin) {
		return true
	}
	// The origin of a sandboxed page is "null", which has no host.
	site, err := url.Parse(origin)
	return err == nil && isLoopback(site.Host)
}

// allows reports whether CORS allows an origin.
func (o origins) allows(origin string) bool {
	return slices.Contains(o.allowed, "*") || slices.Contains(o.allowed, origin)
}

// isLoopback reports whether host is a loopback address, localhost, or a name that ends in .localhost. These names
// always resolve to a loopback address (RFC 6761, section 6.3). The host argument may contain a port.
func isLoopback(host string) bool {
	if name, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
