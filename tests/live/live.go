// Package live runs a complete Lockbox server on a real PostgreSQL database, in the test's process. [Start] runs a
// server for a single test. [Open] is for examples, and for test binaries whose tests share a server. In these two
// cases, no testing.TB exists that could stop the server, so the caller stops it.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// Secret is the LOCKBOX_SECRET_KEY of every test server.
const Secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// Server is a running Lockbox server.
type Server struct {
	URL string
	// MetricsURL is the URL of the server's separate address for metrics. It is "" if the setting LOCKBOX_METRICS_ADDR
	// is empty.
	MetricsURL string
	// Database is the URL of the server's database.
	Database string
	// Log collects the server's log at debug level.
	Log *Log
	// Stop stops the server. If Open created the database, Stop also drops it. Further calls do nothing and return the
	// result of the first call.
	Stop func() error
}

// Start runs a server on a new database until the test ends. A setting has the form NAME=value, without the prefix
// LOCKBOX_. By default, key derivation is cheap, and the rate limits are too high for tests to reach.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return StartOn(t, pgtest.New(t), settings...)
}

// StartOn is like Start, but uses an existing database. Several servers may share the database.
func StartOn(t testing.TB, database string, settings ...string) *Server {
	t.Helper()
	log := &Log{}
	server, err := run(database, log, settings)
	require.NoError(t, err, "%s", log)
	t.Cleanup(func() { assert.NoError(t, server.Stop(), "%s", log) })
	return server
}

// Open is like Start, but needs no testing.TB. The caller must call Stop.
func Open(settings ...string) (*Server, error) {
	database, drop, err := pgtest.Open()
	if err != nil {
		return nil, err
	}
	server, err := run(database, &Log{}, settings)
	if err != nil {
		return nil, errors.Join(err, drop())
	}
	stop := server.Stop
	server.Stop = sync.OnceValue(func() error { return errors.Join(stop(), drop()) })
	return server, nil
}

// run starts a server and returns when the server accepts requests. After a minute, it returns an error.
func run(database string, log *Log, settings []string) (*Server, error) {
	environ := []string{
		"LOCKBOX_DATABASE_URL=" + database,
		"LOCKBOX_SECRET_KEY=" + Secret,
		"LOCKBOX_HTTP_ADDR=127.0.0.1:0",
		"LOCKBOX_LOG_LEVEL=debug",
		"LOCKBOX_KDF_MEMORY_KIB=64",
		"LOCKBOX_KDF_TIME=1",
		// Tests of the rate limit set a lower value.
		"LOCKBOX_THROTTLE_FREE_ATTEMPTS=100000",
	}
	for _, setting := range settings {
		environ = append(environ, "LOCKBOX_"+setting)
	}
	config, unknown, err := boot.ReadEnvironment(environ)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		return nil, fmt.Errorf("unknown settings: %v", unknown)
	}
	app, err := boot.New(config, slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stop := sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	select {
	case <-app.Ready():
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("the server did not start: %w", err)
	case <-time.After(time.Minute):
		return nil, errors.Join(errors.New("the server did not start within a minute"), stop())
	}
	server := &Server{
		URL:      "http://" + app.Addr().(*net.TCPAddr).String(),
		Database: database,
		Log:      log,
		Stop:     stop,
	}
	if metrics := app.MetricsAddr(); metrics != nil {
		server.MetricsURL = "http://" + metrics.String()
	}
	return server, nil
}
