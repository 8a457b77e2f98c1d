package httpapi

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// waitClass classifies connections by what they wait for. To make room, the server closes connections of the lowest
// class first.
type waitClass int

const (
	// noRequest means that the connection is idle, or that its request header is incomplete.
	noRequest waitClass = iota
	// forBody means that a handler waits for the body, or for a share of a resource.
	forBody
	// forReader means that a handler waits until the client has read the response.
	forReader
	// working means that at least one handler is not waiting. Such a connection is not closed.
	working
)

// boundConn is a connection that counts towards the bounds. Its methods are safe for concurrent use. Each method that
// calls the method change accepts a nil boundConn, because tests call handlers without a connection.
type boundConn struct {
	net.Conn
	connections *connections
	group       string

	mu sync.Mutex // guards the fields below
	// handlers is the number of requests in progress. bodies counts the handlers that wait for the request body or for
	// a share. readers counts the handlers that wait until the client has read the response.
	handlers, bodies, readers int
	// The field since is the time at which the connection last began to wait for its client or for the next request.
	since time.Time
}

// Close closes the connection and makes room for another one.
func (c *boundConn) Close() error {
	c.connections.mu.Lock()
	c.connections.remove(c)
	c.connections.mu.Unlock()
	return c.Conn.Close()
}

// CloseWrite closes the sending side.
func (c *boundConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// change adds the given numbers to the counts of the connection. The since argument is the current time if the
// connection may begin to wait now. It is the zero time if a handler begins to work. In this case, c.since stays
// unchanged.
func (c *boundConn) change(handlers, bodies, readers int, since time.Time) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.handlers += handlers
	c.bodies += bodies
	c.readers += readers
	if !since.IsZero() {
		c.since = since
	}
}

// beginHandler counts a new handler. endHandler removes the handler from the count.
func (c *boundConn) beginHandler() { c.change(1, 0, 0, time.Time{}) }

func (c *boundConn) endHandler() { c.change(-1, 0, 0, time.Now()) }

// awaitBody marks a handler as waiting for the request body or for a share of a resource. The returned function removes
// the mark.
func (c *boundConn) awaitBody() (done func()) {
	c.change(0, 1, 0, time.Now())
	return func() { c.change(0, -1, 0, time.Time{}) }
}

// beginWrite marks a handler as waiting for the client to read the response. endWrite removes the mark.
func (c *boundConn) beginWrite(now time.Time) { c.change(0, 0, 1, now) }

func (c *boundConn) endWrite() { c.change(0, 0, -1, time.Time{}) }

// waits returns what the connection waits for, and when the wait began.
func (c *boundConn) waits() (waitClass, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.handlers == 0:
		return noRequest, c.since
	case c.handlers > c.bodies+c.readers:
		return working, c.since
	case c.bodies > 0:
		return forBody, c.since
	default:
		return forReader, c.since
	}
}

// load returns the number of handlers, and whether all of them wait for the client.
func (c *boundConn) load() (handlers int, waiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.handlers, c.handlers == c.bodies+c.readers
}

// connKey is the context key of the boundConn of a request.
type connKey struct{}

// withConn implements http.Server.ConnContext. A connection of Listener wraps a boundConn. withConn finds this
// boundConn and stores it in the context.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	for {
		switch outer := conn.(type) {
		case *boundConn:
			return context.WithValue(ctx, connKey{}, outer)
		case *tls.Conn:
			conn = outer.NetConn()
		case *answeringConn:
			conn = outer.Conn
		case *answeringTLSConn:
			conn = outer.Conn
		default:
			return ctx
		}
	}
}

// connOf returns the connection of a request, or nil in a test that has no connection.
func connOf(ctx context.Context) *boundConn {
	conn, _ := ctx.Value(connKey{}).(*boundConn)
	return conn
}
