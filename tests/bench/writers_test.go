// Package bench measures the shipped program over HTTP, on a real PostgreSQL.
package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const (
	// parallel is the number of writers. Each writer has its own entry. In the case with ten boxes, each writer also
	// has its own box.
	parallel = 10
	// slice is the number of writes in each turn of the benchmark. A turn uses one box or ten boxes. These two kinds of
	// turns alternate, so other load on the machine affects both equally.
	slice = 500
)

// BenchmarkWriters compares writers that share one box with writers that each have a box. Every writer writes its own
// entry. Writers that share a box must not wait for each other. The metric one/ten is the rate with one box divided by
// the rate with ten boxes.
func BenchmarkWriters(b *testing.B) {
	s := start(b)
	var one, ten time.Duration
	inOne := func(writer int) (box, key string) { return "box0", fmt.Sprintf("e%d", writer) }
	inTen := func(writer int) (box, key string) { return fmt.Sprintf("box%d", writer), "own" }
	for writer := range parallel {
		s.call(b, "POST", fmt.Sprintf("/boxes/box%d", writer), "")
	}
	s.write(b, parallel*20, inOne) // the entries exist and the connections are open
	s.write(b, parallel*20, inTen)
	writes := 0
	for b.Loop() {
		one += s.write(b, slice, inOne)
		ten += s.write(b, slice, inTen)
		writes += slice
	}
	b.ReportMetric(float64(writes)/one.Seconds(), "writes/s-one-box")
	b.ReportMetric(float64(writes)/ten.Seconds(), "writes/s-ten-boxes")
	b.ReportMetric(ten.Seconds()/one.Seconds(), "one/ten")
}

type server struct {
	url, token string
	client     *http.Client
}

// start runs a Lockbox. A setting has the form NAME=value, without the prefix LOCKBOX_. It overrides the benchmark's
// default.
func start(b *testing.B, settings ...string) *server {
	b.Helper()
	environ := []string{"LOCKBOX_DATABASE_URL=" + pgtest.New(b), "LOCKBOX_SECRET_KEY=" + boot.NewSecret(),
		"LOCKBOX_HTTP_ADDR=127.0.0.1:0", "LOCKBOX_KDF_MEMORY_KIB=64", "LOCKBOX_KDF_TIME=1",
		fmt.Sprintf("LOCKBOX_DB_MAX_CONNS=%d", parallel)}
	for _, setting := range settings {
		environ = append(environ, "LOCKBOX_"+setting)
	}
	config, _, err := boot.ReadEnvironment(environ)
	require.NoError(b, err)
	app, err := boot.New(config, slog.New(slog.DiscardHandler))
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		require.NoError(b, <-ended)
	})
	select {
	case <-app.Ready():
	case err := <-ended:
		ended <- nil
		require.NoError(b, err)
	}
	s := &server{url: "http://" + app.Addr().String(),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: parallel}}}
	b.Cleanup(s.client.CloseIdleConnections)
	var made struct{ APIKey string }
	require.NoError(b, json.Unmarshal(s.call(b, "POST", "/init", `{"username":"root","password":"root-password"}`),
		&made))
	s.token = made.APIKey
	return s
}

var key = domain.FormatGeneratedKey([32]byte{1})

func (s *server) call(b *testing.B, method, path, body string) []byte {
	b.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, s.url+path, strings.NewReader(body))
	require.NoError(b, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+s.token)
	request.Header.Set("X-Encryption-Key", key)
	response, err := s.client.Do(request)
	require.NoError(b, err)
	content, err := io.ReadAll(response.Body)
	require.NoError(b, err)
	require.NoError(b, response.Body.Close())
	require.Less(b, response.StatusCode, 300, "%s %s: %s", method, path, content)
	return content
}

// write runs all writers until they have sent the given number of writes in total, and returns how long this took.
func (s *server) write(b *testing.B, count int, place func(writer int) (box, key string)) time.Duration {
	b.Helper()
	var group sync.WaitGroup
	var next atomic.Int64
	begin := time.Now()
	for writer := range parallel {
		box, entry := place(writer)
		body := `{"key":"` + entry + `","value":{"password":"secret"}}`
		group.Go(func() {
			for next.Add(1) <= int64(count) {
				s.call(b, "POST", "/boxes/"+box+"/entries", body)
			}
		})
	}
	group.Wait()
	return time.Since(begin)
}
