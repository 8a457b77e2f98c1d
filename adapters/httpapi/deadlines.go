package httpapi

import "time"

// The HTTP server sets a deadline seven times for each request. Most of these deadlines are replaced before any read or
// write begins. An answeringConn therefore only stores a deadline at first. When a read or a write begins, it sets this
// deadline on the connection that it wraps. A deadline that is set during a read or a write applies to that call
// immediately, as net.Conn requires.

// deadline holds the read deadline or the write deadline of an answeringConn.
type deadline struct {
	// The field wanted is the deadline that was set last. The field applied is the deadline of the wrapped connection.
	// Zero means no deadline.
	wanted, applied time.Time
	calls           int // the number of reads or of writes in progress
}

// change stores a deadline. It returns true if the caller must set this deadline on the wrapped connection immediately.
func (d *deadline) change(to time.Time) bool {
	d.wanted = to
	return d.calls > 0 && d.apply()
}

// apply marks the wanted deadline as applied. It returns true if the wrapped connection has a different deadline. The
// caller must then set the wanted deadline on the wrapped connection.
func (d *deadline) apply() bool {
	stale := d.wanted != d.applied
	d.applied = d.wanted
	return stale
}

// SetDeadline sets both deadlines.
func (c *answeringConn) SetDeadline(to time.Time) error {
	if err := c.SetReadDeadline(to); err != nil {
		return err
	}
	return c.SetWriteDeadline(to)
}

// SetReadDeadline sets the deadline of reads. If no read is in progress, it always returns nil, even on a closed
// connection. The next read on a closed connection fails.
func (c *answeringConn) SetReadDeadline(to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reads.change(to) {
		return nil
	}
	return c.Conn.SetReadDeadline(to)
}

// SetWriteDeadline sets the deadline of writes. If no write is in progress, it always returns nil, even on a closed
// connection. The next write on a closed connection fails.
func (c *answeringConn) SetWriteDeadline(to time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.writes.change(to) {
		return nil
	}
	return c.Conn.SetWriteDeadline(to)
}

// beginRead counts a read and applies its deadline. The caller decrements reads.calls after the read.
func (c *answeringConn) beginRead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.calls++
	if c.reads.apply() {
		_ = c.Conn.SetReadDeadline(c.reads.wanted) // fails only on a closed connection; the read then fails too
	}
}

// beginWrite counts a write, applies its deadline, and discards the stored beginning of the request. The caller
// decrements writes.calls after the write.
func (c *answeringConn) beginWrite() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.size = 0
	c.writes.calls++
	if c.writes.apply() {
		_ = c.Conn.SetWriteDeadline(c.writes.wanted) // fails only on a closed connection; the write then fails too
	}
}
