package httpapi

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

// handshakeTimeout bounds a TLS handshake. It is as long as ReadHeaderTimeout, which bounds the header of a request.
const handshakeTimeout = 5 * time.Second

// Listener returns a listener for API.Server. If config is nil, the listener does not use TLS. The listener limits the
// number of open connections; see connections.go. If the HTTP server answers a request by itself, the connection
// replaces the response; see unhandled.go. Closing the listener closes inner.
func (a *API) Listener(inner net.Listener, config *tls.Config) net.Listener {
	plain := &answeringListener{Listener: &boundListener{inner, a.connections}, api: a}
	if config == nil {
		return plain
	}
	l := &tlsListener{
		Listener: plain,
		api:      a,
		config:   config,
		accepted: make(chan accepted),
	}
	l.open, l.close = context.WithCancel(context.Background())
	go l.acceptAll()
	return l
}

// answeringListener wraps each accepted connection in an answeringConn.
type answeringListener struct {
	net.Listener
	api *API
}

func (l *answeringListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	socket := conn
	if bound, ok := conn.(*boundConn); ok {
		socket = bound.Conn
	}
	return &answeringConn{Conn: conn, socket: socket, api: l.api}, nil
}

// tlsListener completes the TLS handshake of a connection before Accept returns the connection. The handshake decides
// between HTTP/1 and HTTP/2. For HTTP/2, the HTTP server needs the *tls.Conn itself and not a wrapper.
type tlsListener struct {
	net.Listener
	api      *API
	config   *tls.Config
	accepted chan accepted
	// The field open is a context that is cancelled when the listener is closed.
	open  context.Context
	close context.CancelFunc
}

type accepted struct {
	conn net.Conn
	err  error
}

// acceptAll accepts connections until the listener is closed. Each handshake has its own goroutine, so that a slow
// client does not delay other clients.
func (l *tlsListener) acceptAll() {
	for l.open.Err() == nil {
		conn, err := l.Listener.Accept()
		if err != nil {
			// deliver blocks until the HTTP server calls Accept. After a temporary error, the HTTP server waits before
			// it calls Accept again.
			l.deliver(accepted{err: err})
			continue
		}
		go l.shake(conn)
	}
}

// socketOf returns the socket of conn if conn is an answeringConn. Otherwise it returns conn.
func socketOf(conn net.Conn) net.Conn {
	if plain, ok := conn.(*answeringConn); ok {
		return plain.socket
	}
	return conn
}

// shake completes the handshake and delivers the connection. A connection whose handshake failed is delivered as well.
// The HTTP server then logs the reason, answers a client that does not speak TLS, and closes the connection.
func (l *tlsListener) shake(conn net.Conn) {
	ctx, cancel := context.WithTimeout(l.open, handshakeTimeout)
	defer cancel()
	secured := tls.Server(conn, l.config)
	if err := secured.HandshakeContext(ctx); err != nil || secured.ConnectionState().NegotiatedProtocol == "h2" {
		l.deliver(accepted{conn: secured})
		return
	}
	l.deliver(accepted{conn: &answeringTLSConn{
		answeringConn: answeringConn{Conn: secured, socket: socketOf(conn), api: l.api},
		secured:       secured,
	}})
}

// deliver hands a connection or an error to Accept. It closes the connection if the listener is closed.
func (l *tlsListener) deliver(result accepted) {
	select {
	case l.accepted <- result:
	case <-l.open.Done():
		if result.conn != nil {
			_ = result.conn.Close()
		}
	}
}

// Accept returns the next connection. It returns net.ErrClosed after Close.
func (l *tlsListener) Accept() (net.Conn, error) {
	select {
	case result := <-l.accepted:
		return result.conn, result.err
	case <-l.open.Done():
		return nil, net.ErrClosed
	}
}

// Close stops handshakes in progress.
func (l *tlsListener) Close() error {
	l.close()
	return l.Listener.Close()
}

// answeringConn is a connection of HTTP/1. If the HTTP server cannot parse a request, answeringConn makes the response;
// see Write. For this purpose, it stores the beginning of the current request. It also distinguishes a client that has
// only closed its sending side from a client that has left; see half_close.go. It is safe for concurrent use, as the
// HTTP server requires.
type answeringConn struct {
	net.Conn
	// socket is the connection of the operating system, below TLS.
	socket net.Conn
	api    *API

	// base is the parent of the contexts of all requests on the connection. It is never cancelled.
	base context.Context

	mu sync.Mutex // guards the fields below
	// The field begin contains the first bytes that were read after the last write. They are the request line or a part
	// of it.
	begin [128]byte
	size  int
	// readErr is the error of the last read, or nil if the read succeeded. writeErr is the error of the first failed
	// write.
	readErr, writeErr error
	// cancel cancels the request in progress. It is nil between requests. giveUp is a timer that calls cancel after
	// writeTimeout. checkInput starts this timer after a failed read if the client may still read the response.
	cancel context.CancelFunc
	giveUp *time.Timer
	// reports are functions that log requests. Close calls them. reportAtClose adds a function only if the client has
	// closed its sending side.
	reports []func(clientLeft bool)
	// The fields reads and writes hold the read deadline and the write deadline; see deadlines.go.
	reads, writes deadline
}

// Read reads from the client.
func (c *answeringConn) Read(p []byte) (int, error) {
	c.beginRead()
	n, err := c.Conn.Read(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reads.calls--
	c.size += copy(c.begin[c.size:], p[:n])
	c.readErr = err
	c.checkInput()
	return n, err
}

// Write writes to the client. If the HTTP server made the response by itself, Write replaces that response with a
// response of the API.
func (c *answeringConn) Write(p []byte) (int, error) {
	status, ok := unhandledStatus(p)
	if !ok {
		return c.send(p)
	}
	begin := c.currentRequest()
	if _, err := c.send(c.api.answerUnhandled(status, string(p), string(begin[:]), c.RemoteAddr())); err != nil {
		return 0, err
	}
	return len(p), nil
}

// send writes to the client and discards the stored beginning of the request. If the write is the first that fails,
// send stores its error.
func (c *answeringConn) send(p []byte) (int, error) {
	c.beginWrite()
	n, err := c.Conn.Write(p)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writes.calls--
	if c.writeErr == nil {
		c.writeErr = err
	}
	return n, err
}

// currentRequest returns the stored beginning of the current request, padded with zero bytes.
func (c *answeringConn) currentRequest() (begin [128]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	copy(begin[:], c.begin[:c.size])
	return begin
}

// CloseWrite closes the sending side. If a client is still sending when the response ends, the HTTP server calls
// CloseWrite before Close. The client can then still read the response.
func (c *answeringConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// answeringTLSConn is an answeringConn over TLS.
type answeringTLSConn struct {
	answeringConn
	secured *tls.Conn
}

// ConnectionState returns the state of TLS. The HTTP server copies it to http.Request.TLS.
func (c *answeringTLSConn) ConnectionState() tls.ConnectionState { return c.secured.ConnectionState() }
