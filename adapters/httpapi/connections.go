package httpapi

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// connections bounds the open connections and the handlers that run on them. When a bound is reached, a connection that
// waits for its client is closed. The methods are safe for concurrent use.
type connections struct {
	maxOpen int
	// maxHandlers is the maximum number of running handlers, including the handlers of requests that are refused. One
	// HTTP/2 connection can run many handlers.
	maxHandlers int64
	handlers    atomic.Int64
	// evicted counts connections that were closed to make room. refused counts new connections that were closed because
	// there was no room.
	evicted, refused atomic.Uint64

	mu     sync.Mutex // guards the fields below
	open   map[*boundConn]struct{}
	groups map[string]int // open connections by address group
}

func newConnections(bounds Bounds) *connections {
	return &connections{
		maxOpen:     bounds.Connections,
		maxHandlers: int64(bounds.Connections + bounds.Requests),
		open:        make(map[*boundConn]struct{}),
		groups:      make(map[string]int),
	}
}

// boundListener limits the number of open connections.
type boundListener struct {
	net.Listener
	connections *connections
}

// Accept returns the next connection for which there is room. It closes connections for which there is no room.
func (l *boundListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if bound := l.connections.add(conn); bound != nil {
			return bound, nil
		}
		_ = conn.Close() // the client gets no answer, so the error does not matter
	}
}

// add registers a connection. If the maximum number of connections is open, add closes one of them. If no open
// connection may be closed, add returns nil, and the caller must close conn.
func (c *connections) add(conn net.Conn) *boundConn {
	if tcp, ok := conn.(*net.TCPConn); ok {
		// SetReadBuffer and SetWriteBuffer fail only on a connection that is already closed.
		_ = tcp.SetReadBuffer(kernelBuffer)
		_ = tcp.SetWriteBuffer(kernelBuffer)
	}
	host, _, err := net.SplitHostPort(conn.RemoteAddr().String())
	if err != nil {
		host = conn.RemoteAddr().String()
	}
	bound := &boundConn{
		Conn:        conn,
		connections: c,
		group:       domain.AddressGroup(host),
		since:       time.Now(),
	}
	c.mu.Lock()
	if len(c.open) >= c.maxOpen {
		victim := c.victim(bound.group)
		if victim == nil {
			c.mu.Unlock()
			c.refused.Add(1)
			return nil
		}
		c.evicted.Add(1)
		c.remove(victim)
		defer victim.Conn.Close()
	}
	c.open[bound] = struct{}{}
	c.groups[bound.group]++
	c.mu.Unlock()
	return bound
}

// remove forgets a connection. The caller holds mu.
func (c *connections) remove(conn *boundConn) {
	if _, ok := c.open[conn]; !ok {
		return
	}
	delete(c.open, conn)
	if c.groups[conn.group]--; c.groups[conn.group] == 0 {
		delete(c.groups, conn.group)
	}
}

// victim returns the connection that must be closed to make room for a new connection, or nil if the new connection
// must be refused. The newcomer argument is the address group of the new connection. Only connections that wait for
// their client are closed.
//
// If one address group has more than a quarter of all connections, its connections are closed first. A new connection
// from this group can replace only a connection from the same group. The replaced connection must have waited for at
// least replaceAfter. A flood from one group therefore closes no connection of another group.
//
// Within these rules, connections are closed in the order of their waitClass. Within a class, the connection that has
// waited longest is closed first. The caller holds mu.
func (c *connections) victim(newcomer string) *boundConn {
	largest := newcomer
	for group, count := range c.groups {
		if count > c.groups[largest] {
			largest = group
		}
	}
	if c.groups[largest] > c.maxOpen/userShare {
		victim, since := c.longestWaiting(func(conn *boundConn) bool { return conn.group == largest })
		if largest == newcomer {
			if time.Since(since) < replaceAfter {
				return nil
			}
			return victim
		}
		if victim != nil {
			return victim
		}
	}
	victim, _ := c.longestWaiting(func(*boundConn) bool { return true })
	return victim
}

// replaceAfter applies to an address group that has too many connections. A connection of the group must have waited
// for this long before a new connection of the group may replace it. Until then, the server refuses new connections of
// the group, because a refusal takes much less time than a replacement.
const replaceAfter = time.Second

// victimSample is the maximum number of connections that longestWaiting compares. During a flood, longestWaiting runs
// for each new connection, so it must be quick.
const victimSample = 64

// longestWaiting takes a random sample of the matching connections that wait for their client. It returns the
// connection in this sample that should be closed first, and the time since which this connection has waited. It
// returns nil if no connection matches. The caller holds mu.
func (c *connections) longestWaiting(matches func(*boundConn) bool) (victim *boundConn, since time.Time) {
	var class waitClass
	seen := 0
	for conn := range c.open { // in random order
		its, at := conn.waits()
		if its == working || !matches(conn) {
			continue
		}
		if victim == nil || its < class || its == class && at.Before(since) {
			victim, class, since = conn, its, at
		}
		if seen++; seen == victimSample {
			break
		}
	}
	return victim, since
}

// enter counts a handler. If too many handlers run, enter closes another connection. It closes only a connection whose
// handlers all wait for the client, and chooses the one with the most handlers. If there is no such connection, enter
// returns false, and the caller must close its own connection.
func (c *connections) enter() bool {
	if c.handlers.Add(1) <= c.maxHandlers {
		return true
	}
	c.mu.Lock()
	var busiest *boundConn
	most := 0
	for conn := range c.open {
		if handlers, waiting := conn.load(); waiting && handlers > most {
			busiest, most = conn, handlers
		}
	}
	if busiest != nil {
		c.remove(busiest)
	}
	c.mu.Unlock()
	if busiest == nil {
		return false
	}
	c.evicted.Add(1)
	_ = busiest.Conn.Close() // the connection is given up
	return true
}

func (c *connections) leave() { c.handlers.Add(-1) }

// count returns the number of open connections.
func (c *connections) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}
