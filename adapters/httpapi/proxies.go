package httpapi

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// trustedProxies decides which peers may set the address of a client with X-Forwarded-For. The audit log and the rate
// limits use this address.
type trustedProxies struct {
	networks []*net.IPNet
	// warned is true after warn has logged its warning.
	warned atomic.Bool
}

// trust sets the networks of the proxies and returns the function that finds the address of a client. If prefixes is
// empty, this function returns the address of the peer and ignores X-Forwarded-For.
func (p *trustedProxies) trust(prefixes []netip.Prefix) echo.IPExtractor {
	if len(prefixes) == 0 {
		return echo.ExtractIPDirect()
	}
	// By default, Echo trusts all private networks. Lockbox trusts only the configured networks.
	options := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range prefixes {
		bits := prefix.Addr().BitLen()
		network := &net.IPNet{IP: prefix.Masked().Addr().AsSlice(), Mask: net.CIDRMask(prefix.Bits(), bits)}
		p.networks = append(p.networks, network)
		options = append(options, echo.TrustIPRange(network))
	}
	return echo.ExtractIPFromXFFHeader(options...)
}

// sharesAddress reports whether the peer is a proxy that is not trusted. All clients of such a proxy share its address.
func (p *trustedProxies) sharesAddress(r *http.Request) bool {
	if r.Header.Get(echo.HeaderXForwardedFor) == "" {
		return false
	}
	host, _, _ := net.SplitHostPort(r.RemoteAddr) // a malformed address is in no network
	peer := net.ParseIP(host)
	return !slices.ContainsFunc(p.networks, func(network *net.IPNet) bool { return network.Contains(peer) })
}

// warn logs the first request from a proxy that is not trusted.
func (p *trustedProxies) warn(log *slog.Logger, r *http.Request) {
	if p.sharesAddress(r) && !p.warned.Swap(true) {
		host, _, _ := net.SplitHostPort(r.RemoteAddr)
		log.Warn("ignoring X-Forwarded-For from a peer that is not in LOCKBOX_TRUSTED_PROXIES: "+
			"all clients behind this peer count as one address", slog.String("peer", host))
	}
}
