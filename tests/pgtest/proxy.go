package pgtest

import (
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

// Proxy forwards connections to a database. A test can make the proxy lose connections. A lost connection stays open
// but transfers no data in either direction, like a connection to a host that has lost its power or is suspended.
type Proxy struct {
	// URL is the URL of the database with the address of the proxy.
	URL string

	network, address string
	done             chan struct{} // closed when the test ends
	running          sync.WaitGroup
	loseNew          atomic.Bool
	maxOpen          atomic.Int64
	refusal          atomic.Pointer[pgproto3.ErrorResponse]

	mu    sync.Mutex // guards pairs
	pairs []*proxyPair
}

// proxyPair is a connection from a client together with the proxy's connection to the server.
type proxyPair struct {
	client, server net.Conn
	lost, closed   atomic.Bool
}

// NewProxy starts a proxy that runs until the test ends.
func NewProxy(t testing.TB, database string) *Proxy {
	t.Helper()
	target, err := url.Parse(database)
	require.NoError(t, err)
	p := &Proxy{network: "tcp", address: target.Host, done: make(chan struct{})}
	query := target.Query()
	if folder := query.Get("host"); folder != "" {
		p.network, p.address = "unix", folder+"/.s.PGSQL."+query.Get("port")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	query.Del("host")
	query.Del("port")
	target.Host, target.RawQuery = listener.Addr().String(), query.Encode()
	p.URL = target.String()
	p.running.Go(func() { p.accept(listener) })
	t.Cleanup(func() {
		_ = listener.Close()
		close(p.done)
		p.mu.Lock()
		for _, pair := range p.pairs {
			pair.close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

// LoseOpen makes the proxy lose all connections that are open now. They stay lost.
func (p *Proxy) LoseOpen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, pair := range p.pairs {
		pair.lost.Store(true)
	}
}

// LoseNew switches the loss of new connections on or off. While it is on, the proxy loses each new connection
// immediately. Such a connection stays lost after LoseNew(false).
func (p *Proxy) LoseNew(lose bool) { p.loseNew.Store(lose) }

// LimitOpen sets the maximum number of open connections. The proxy refuses further connections with the error of a
// PostgreSQL server that has reached max_connections. 0 means no maximum.
func (p *Proxy) LimitOpen(limit int) { p.maxOpen.Store(int64(limit)) }

// isFull reports whether as many connections are open as LimitOpen allows.
func (p *Proxy) isFull() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	open := int64(0)
	for _, pair := range p.pairs {
		if !pair.closed.Load() {
			open++
		}
	}
	limit := p.maxOpen.Load()
	return limit > 0 && open >= limit
}

// Refuse makes the proxy refuse all further connections with a PostgreSQL error.
func (p *Proxy) Refuse(code, message string) {
	p.refusal.Store(&pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: message})
}

// refuse answers the startup message of a client with an error and closes the connection.
func refuse(client net.Conn, refusal *pgproto3.ErrorResponse) {
	_, _ = client.Read(make([]byte, 8<<10)) // the content does not matter, and the client may have disconnected
	message, _ := refusal.Encode(nil)       // fails only for a message that is too long
	_, _ = client.Write(message)
	_ = client.Close()
}

// accept forwards connections until the listener is closed.
func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		refusal := p.refusal.Load()
		if p.isFull() {
			refusal = &pgproto3.ErrorResponse{
				Severity: "FATAL",
				Code:     "53300",
				Message:  "sorry, too many clients already",
			}
		}
		if refusal != nil {
			p.running.Go(func() { refuse(client, refusal) })
			continue
		}
		pair := &proxyPair{client: client}
		if p.loseNew.Load() {
			pair.lost.Store(true)
		} else if pair.server, err = net.Dial(p.network, p.address); err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.pairs = append(p.pairs, pair)
		p.mu.Unlock()
		if pair.server != nil {
			p.running.Go(func() { p.forward(pair, pair.client, pair.server) })
			p.running.Go(func() { p.forward(pair, pair.server, pair.client) })
		}
	}
}

// forward copies until a side is closed or the pair is lost. After the pair is lost, forward copies nothing more. It
// also does not tell one side that the other side has closed its connection.
func (p *Proxy) forward(pair *proxyPair, from, to net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if pair.lost.Load() {
			<-p.done
			return
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			pair.close()
			return
		}
	}
}

func (p *proxyPair) close() {
	p.closed.Store(true)
	_ = p.client.Close()
	if p.server != nil {
		_ = p.server.Close()
	}
}
