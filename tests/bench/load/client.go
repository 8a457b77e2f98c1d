// Package load sends HTTP requests to a Lockbox server and checks every answer.
//
// The load shares the cores with the server and with PostgreSQL. Its client is therefore minimal. Each worker has one
// HTTP/1.1 connection (RFC 9112), so there is no pool. A request starts no goroutine and allocates no memory.
package load

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// patience is the time limit of a request and its answer.
const patience = time.Minute

// request is an HTTP request. Empty parts are omitted.
type request struct {
	method, path, token, key string
	body                     []byte
}

// answer is a response. The slices are valid until the next request on the same connection.
type answer struct {
	status  int
	version uint64 // of the header ETag
	apiKey  string // of the header X-API-Key
	body    []byte
}

// conn is one keep-alive connection. It is not safe for concurrent use.
type conn struct {
	address string
	net     net.Conn
	in      *bufio.Reader
	out     []byte
	got     answer
}

// do sends a request and reads the whole answer. After an error, do closes the connection, and the next request opens a
// new one.
func (c *conn) do(r request) (*answer, error) {
	if c.net == nil {
		var err error
		if c.net, err = net.DialTimeout("tcp", c.address, patience); err != nil {
			return nil, err
		}
		c.in = bufio.NewReaderSize(c.net, 16<<10)
	}
	closing, err := c.exchange(r)
	if err != nil {
		c.close()
		return nil, fmt.Errorf("%s %s: %w", r.method, r.path, err)
	}
	if closing {
		c.close()
	}
	return &c.got, nil
}

func (c *conn) close() {
	if c.net != nil {
		c.net.Close()
		c.net = nil
	}
}

func (c *conn) exchange(r request) (closing bool, err error) {
	if err := c.net.SetDeadline(time.Now().Add(patience)); err != nil {
		return false, err
	}
	c.compose(r)
	if _, err := c.net.Write(c.out); err != nil {
		return false, err
	}
	return c.receive()
}

func (c *conn) compose(r request) {
	out := append(append(append(append(c.out[:0], r.method...), ' '), r.path...), " HTTP/1.1\r\nHost: lockbox\r\n"...)
	if r.token != "" {
		out = append(append(append(out, "Authorization: Bearer "...), r.token...), "\r\n"...)
	}
	if r.key != "" {
		out = append(append(append(out, "X-Encryption-Key: "...), r.key...), "\r\n"...)
	}
	if r.body != nil {
		out = append(out, "Content-Type: application/json\r\nContent-Length: "...)
		out = append(strconv.AppendInt(out, int64(len(r.body)), 10), "\r\n"...)
	}
	c.out = append(append(out, "\r\n"...), r.body...)
}

var errMalformed = errors.New("the load driver cannot parse the response")

func (c *conn) receive() (closing bool, err error) {
	line, err := c.in.ReadSlice('\n')
	if err != nil {
		return false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return false, errMalformed
	}
	c.got = answer{body: c.got.body[:0]}
	if c.got.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return false, errMalformed
	}
	length, chunked := 0, false
	for {
		if line, err = c.in.ReadSlice('\n'); err != nil {
			return false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch string(name) { // as Go's server spells them
		case "Content-Length":
			length, err = strconv.Atoi(string(value))
		case "Transfer-Encoding":
			chunked = true
		case "Connection":
			closing = true
		case "Etag":
			c.got.version, err = strconv.ParseUint(string(bytes.Trim(value, `"`)), 10, 64)
		case "X-Api-Key":
			c.got.apiKey = string(value)
		}
		if err != nil {
			return false, errMalformed
		}
	}
	if chunked {
		return closing, c.receiveChunks()
	}
	if c.got.status == http.StatusNoContent {
		length = 0
	}
	return closing, c.receiveBody(length)
}

// receiveBody appends length bytes to the body.
func (c *conn) receiveBody(length int) error {
	have := len(c.got.body)
	if missing := have + length - cap(c.got.body); missing > 0 {
		c.got.body = append(c.got.body[:cap(c.got.body)], make([]byte, missing)...)
	}
	c.got.body = c.got.body[:have+length]
	_, err := io.ReadFull(c.in, c.got.body[have:])
	return err
}

func (c *conn) receiveChunks() error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseUint(string(bytes.TrimRight(line, "\r\n")), 16, 24)
		if err != nil {
			return errMalformed
		}
		if err := c.receiveBody(int(size)); err != nil {
			return err
		}
		if _, err := c.in.Discard(2); err != nil {
			return err
		}
		if size == 0 {
			return nil
		}
	}
}
