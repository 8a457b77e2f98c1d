package main

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// wire is a proxy between a program and PostgreSQL. It counts the executed statements and the round trips of the
// Frontend/Backend Protocol 3.0.
type wire struct {
	listener   net.Listener
	folder     string
	to         string // the server's socket
	statements atomic.Int64
	trips      atomic.Int64
	bytes      atomic.Int64
}

// wireCounts are counts per request.
type wireCounts struct {
	Statements float64 `json:"statements"`
	RoundTrips float64 `json:"round_trips"`
	Bytes      float64 `json:"bytes"`
}

type wireTotals struct{ statements, trips, bytes int64 }

func (w *wire) counts() wireTotals {
	return wireTotals{w.statements.Load(), w.trips.Load(), w.bytes.Load()}
}

func (t wireTotals) since(before wireTotals, requests int) wireCounts {
	per := func(count int64) float64 { return float64(count) / float64(max(1, requests)) }
	return wireCounts{per(t.statements - before.statements), per(t.trips - before.trips), per(t.bytes - before.bytes)}
}

const socketFile = ".s.PGSQL.5432"

func startWire(server *localpg.Server) (*wire, error) {
	at, err := url.Parse(server.URL("postgres"))
	if err != nil {
		return nil, err
	}
	w := &wire{to: filepath.Join(at.Query().Get("host"), socketFile)}
	if w.folder, err = os.MkdirTemp("", "wire-"); err != nil {
		return nil, err
	}
	if w.listener, err = net.Listen("unix", filepath.Join(w.folder, socketFile)); err != nil {
		return nil, err
	}
	go w.accept()
	return w, nil
}

// url returns the URL of a database through the proxy.
func (w *wire) url(direct string) string {
	at, _ := url.Parse(direct) // the form that localpg returns
	query := at.Query()
	query.Set("host", w.folder)
	at.RawQuery = query.Encode()
	return at.String()
}

// close stops accepting connections. Open connections end when the program exits.
func (w *wire) close() {
	w.listener.Close()
	os.RemoveAll(w.folder)
}

func (w *wire) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", w.to)
		if err != nil {
			client.Close()
			continue
		}
		answered := &atomic.Bool{} // since the program's last message
		answered.Store(true)
		go w.forward(client, server, func(kind byte) {
			if answered.Swap(false) {
				w.trips.Add(1)
			}
			if kind == 'E' || kind == 'Q' { // Execute and Query
				w.statements.Add(1)
			}
		}, startupMessage)
		go w.forward(server, client, func(byte) { answered.Store(true) }, nil)
	}
}

// startupMessage reads the first message that a client sends on a connection. Later messages begin with a type byte,
// but the first message has none.
var startupMessage = func(from io.Reader) ([]byte, error) {
	length := make([]byte, 4)
	if _, err := io.ReadFull(from, length); err != nil {
		return nil, err
	}
	message := append(length, make([]byte, binary.BigEndian.Uint32(length)-4)...)
	_, err := io.ReadFull(from, message[4:])
	return message, err
}

// forward copies messages until either side closes. It forwards data immediately, so that the proxy does not change the
// timing.
func (w *wire) forward(from, to net.Conn, note func(kind byte), first func(io.Reader) ([]byte, error)) {
	defer from.Close()
	defer to.Close()
	if first != nil {
		message, err := first(from)
		if err != nil {
			return
		}
		if _, err := to.Write(message); err != nil {
			return
		}
	}
	buffer := make([]byte, 64<<10)
	var header []byte
	left := 0 // bytes left of the current message
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			w.bytes.Add(int64(n))
			header, left = scan(buffer[:n], header, left, note)
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// scan finds the messages in the next part of a stream. A message begins with a header: one type byte and a length of
// four bytes. The length includes these four bytes, but not the type byte. If the previous part ended in the middle of
// a header, the parameter named header contains the first bytes of that header. The parameter named left is the number
// of bytes until the next message. scan returns both values for the next call.
func scan(part, header []byte, left int, note func(kind byte)) ([]byte, int) {
	for len(part) > 0 {
		if left > 0 {
			skipped := min(left, len(part))
			part, left = part[skipped:], left-skipped
			continue
		}
		missing := min(5-len(header), len(part))
		header, part = append(header, part[:missing]...), part[missing:]
		if len(header) == 5 {
			note(header[0])
			left = int(binary.BigEndian.Uint32(header[1:])) - 4
			header = header[:0]
		}
	}
	return header, left
}
