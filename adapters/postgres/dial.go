package postgres

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
)

// cancelRequestTimeout is the longest duration of a cancel request, including the time to connect. A working server
// answers a cancel request immediately.
const cancelRequestTimeout = time.Second

// openConns holds the open network connections of a store. It is safe for concurrent use.
type openConns struct {
	mu     sync.Mutex // guards the fields below
	conns  map[*openConn]struct{}
	closed bool
}

// openConn is a network connection that openConns can close.
type openConn struct {
	net.Conn
	of *openConns
}

// add registers a connection. If closeAll has already been called, add closes the connection and returns net.ErrClosed.
func (o *openConns) add(conn net.Conn) (net.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		_ = conn.Close() // it has not been used
		return nil, net.ErrClosed
	}
	if o.conns == nil {
		o.conns = make(map[*openConn]struct{})
	}
	c := &openConn{Conn: conn, of: o}
	o.conns[c] = struct{}{}
	return c, nil
}

// Close closes the connection.
func (c *openConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.conns, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// closeAll closes all open connections. Statements that run on these connections fail. A later call of add closes its
// connection and returns net.ErrClosed.
func (o *openConns) closeAll() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for c := range o.conns {
		_ = c.Conn.Close() // the server may be dead, so the error does not matter
	}
}

// sessionDialer makes the network connection of one session, and the connections for the cancel requests of that
// session.
type sessionDialer struct {
	conns *openConns
	// established is true after the session has been opened. From then on, the driver dials only to send cancel
	// requests.
	established atomic.Bool
}

// dial is the pgconn.DialFunc of a session. A connection for a cancel request gets a deadline. Before the driver closes
// a dead connection, it sends a cancel request on a second connection and waits for the response. The deadline limits
// this wait, because the dead connection occupies a place in the pool until the driver closes it.
func (d *sessionDialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	dialer := connect.NewDialer()
	var deadline time.Time
	if d.established.Load() {
		deadline = time.Now().Add(cancelRequestTimeout)
		dialer.Deadline = deadline
	}
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(deadline); err != nil {
		_ = conn.Close() // the error of SetDeadline is returned
		return nil, err
	}
	return d.conns.add(conn)
}
