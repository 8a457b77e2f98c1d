package httpapi

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// When a client counts as disconnected (HTTP/1):
//
// A client closes its sending side with a FIN, or over TLS with close_notify. A client may close its sending side and
// still wait for the response. net/http nevertheless cancels the context of the request. Handlers therefore use a
// different context:
//
//   - After a FIN, the request continues until its end or its deadline, and its response is sent. If the client has
//     closed the whole connection, the host of the client answers the response with a RST. The server cannot detect the
//     closed connection before it sends the response. The request is therefore logged when the connection is closed.
//     Its status is 499 if a RST has arrived.
//   - After any other error, such as a RST, the context is cancelled and the request ends with status 499.
//
// HTTP/2 needs no different context. If a client closes the sending side of a stream but does not reset the stream,
// net/http does not cancel the context of the request. A client that disconnects resets its streams.

// resetTimeout is how long Close waits for the RST of a client that has left. It covers a round trip on most networks.
// A client that has read the whole response does not notice the wait.
const resetTimeout = 500 * time.Millisecond

// connectionKey is the key of the *answeringConn in the context of a request.
type connectionKey struct{}

// withConnection is the ConnContext of the HTTP server. The context of an HTTP/2 connection stays unchanged.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	var answering *answeringConn
	switch conn := conn.(type) {
	case *answeringConn:
		answering = conn
	case *answeringTLSConn:
		answering = &conn.answeringConn
	default:
		return ctx
	}
	answering.base = context.WithValue(ctx, connectionKey{}, answering)
	return answering.base
}

// begin returns the request with a new context. The context ends at the deadline of the request. It does not end if the
// client closes only its sending side. begin also returns the connection. This result is nil if no answeringConn serves
// the request. The caller must call end after the handler.
//
// The new context does not depend on the context of the HTTP server. The HTTP server cancels its context only after a
// read of the connection has failed, and the answeringConn handles every failed read itself.
func (a *API) begin(r *http.Request) (request *http.Request, conn *answeringConn, end func()) {
	conn, ok := r.Context().Value(connectionKey{}).(*answeringConn)
	if !ok {
		ctx, cancel := withDeadline(r.Context(), a.requestTime)
		return r.WithContext(ctx), nil, cancel
	}
	ctx, cancel := withDeadline(conn.base, a.requestTime)
	conn.beginRequest(cancel)
	return r.WithContext(ctx), conn, func() {
		conn.endRequest()
		cancel()
	}
}

// beginRequest stores the function that cancels the request in progress. endRequest removes the function.
func (c *answeringConn) beginRequest(cancel context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = cancel
	c.checkInput() // a read may have failed since the header arrived
}

func (c *answeringConn) endRequest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel = nil
	if c.giveUp != nil {
		c.giveUp.Stop()
		c.giveUp = nil
	}
}

// checkInput cancels the request in progress if the last read has failed. If the client may still read the response,
// checkInput schedules the cancellation for the end of writeTimeout. After that time, the response can no longer be
// sent. The caller holds mu.
func (c *answeringConn) checkInput() {
	switch {
	case c.readErr == nil || c.cancel == nil:
	case !mayReceive(c.readErr):
		c.cancel()
	case c.giveUp == nil:
		c.giveUp = time.AfterFunc(writeTimeout, c.cancel)
	}
}

// mayReceive reports whether the client may still read the response after a read has failed with err. This is the case
// if the client has closed its sending side, or if its request body did not arrive in time.
func mayReceive(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded)
}

// inputEnded reports whether the client has closed its sending side.
func (c *answeringConn) inputEnded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Is(c.readErr, io.EOF)
}

// If the client has closed its sending side, reportAtClose stores the function report and returns true. Close later
// calls this function. If the client has not closed its sending side, reportAtClose returns false. The HTTP server
// closes a half-closed connection after the response.
func (c *answeringConn) reportAtClose(report func(clientLeft bool)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !errors.Is(c.readErr, io.EOF) {
		return false
	}
	c.reports = append(c.reports, report)
	return true
}

// Close cancels the request in progress, calls the functions that reportAtClose has registered, and closes the
// connection.
func (c *answeringConn) Close() error {
	c.mu.Lock()
	cancel, reports := c.cancel, c.reports
	c.cancel, c.reports = nil, nil
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
	if len(reports) > 0 {
		left := c.clientLeft()
		for _, report := range reports {
			report(left)
		}
	}
	return c.Conn.Close()
}

// clientLeft reports whether a client that has closed its sending side has also stopped receiving. This is the case if
// a write failed, or if a RST arrives within resetTimeout. Before it waits for a RST, clientLeft closes the server's
// sending side. The client then receives the end of the response.
func (c *answeringConn) clientLeft() bool {
	c.mu.Lock()
	failed := c.writeErr != nil
	c.mu.Unlock()
	if failed || wasReset(c.socket) {
		return true
	}
	_ = c.CloseWrite()
	for wait := time.Millisecond; wait < resetTimeout/2; wait *= 2 {
		time.Sleep(wait) // no call waits for a RST: only a query of the socket shows it
		if wasReset(c.socket) {
			return true
		}
	}
	return false
}
