// Package testserver runs Lockbox inside a test, as it ships, on a real PostgreSQL.
package testserver

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// Secret is the secret of every server of the tests.
const Secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// Server is one running Lockbox.
type Server struct {
	URL string
	// Database is the URL of its database.
	Database string
	Log      *Log
	// Stop ends it; the end of the test does too.
	Stop func()
}

// Start runs a Lockbox on a database of its own. Settings are NAME=value without the prefix LOCKBOX_.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return StartOn(t, pgtest.New(t), settings...)
}

// StartOn runs a Lockbox on a database, beside others on the same one.
func StartOn(t testing.TB, database string, settings ...string) *Server {
	t.Helper()
	environ := []string{"LOCKBOX_DATABASE_URL=" + database, "LOCKBOX_SECRET_KEY=" + Secret, "LOCKBOX_HTTP_ADDR=127.0.0.1:0",
		"LOCKBOX_LOG_LEVEL=debug", "LOCKBOX_KDF_MEMORY_KIB=64", "LOCKBOX_KDF_TIME=1",
		// Tests of other things guess and mistype freely; those of throttling set it anew.
		"LOCKBOX_THROTTLE_FREE_ATTEMPTS=100000"}
	for _, setting := range settings {
		environ = append(environ, "LOCKBOX_"+setting)
	}
	config, unknown, err := boot.ReadEnvironment(environ)
	require.NoError(t, err)
	require.Empty(t, unknown)
	s := &Server{Database: database, Log: &Log{}}
	app, err := boot.New(config, slog.New(slog.NewJSONHandler(s.Log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	s.Stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v\n%s", err, s.Log)
		}
	})
	t.Cleanup(s.Stop)
	select {
	case <-app.Ready():
	case err := <-ended:
		ended <- err
		t.Fatalf("the server did not start: %v\n%s", err, s.Log)
	case <-time.After(time.Minute):
		t.Fatalf("the server did not start within a minute\n%s", s.Log)
	}
	s.URL = "http://" + app.Addr().(*net.TCPAddr).String()
	return s
}

// Log is a log that may be read while it is written.
type Log struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

// Write adds a line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.Write(p)
}

// String returns all lines so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buffer.String()
}
