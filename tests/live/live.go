// Package live runs the program as it ships, on a real PostgreSQL: for one test, or for tests and examples that share a
// server and have no testing.TB of their own to end it with.
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

// Secret is the secret of every server of the tests.
const Secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

// Server is one running Lockbox.
type Server struct {
	URL string
	// Database is the URL of its database.
	Database string
	// Log is what it said so far, at the level of debugging.
	Log *Log
	// Stop ends it, and drops its database if that was its own. It may be called again.
	Stop func() error
}

// Start runs a Lockbox on a database of its own until the test ends. Settings are NAME=value without the prefix LOCKBOX_;
// derivations cost next to nothing, and there is room for wrong attempts.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	return StartOn(t, pgtest.New(t), settings...)
}

// StartOn runs a Lockbox on a database, beside others on the same one.
func StartOn(t testing.TB, database string, settings ...string) *Server {
	t.Helper()
	log := &Log{}
	server, err := run(database, log, settings)
	require.NoError(t, err, "%s", log)
	t.Cleanup(func() { assert.NoError(t, server.Stop(), "%s", log) })
	return server
}

// Open is Start for who has no test: the caller stops the server.
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

func run(database string, log *Log, settings []string) (*Server, error) {
	environ := []string{"LOCKBOX_DATABASE_URL=" + database, "LOCKBOX_SECRET_KEY=" + Secret,
		"LOCKBOX_HTTP_ADDR=127.0.0.1:0",
		"LOCKBOX_LOG_LEVEL=debug", "LOCKBOX_KDF_MEMORY_KIB=64", "LOCKBOX_KDF_TIME=1",
		// Tests of other things guess and mistype freely; those of throttling set it anew.
		"LOCKBOX_THROTTLE_FREE_ATTEMPTS=100000"}
	for _, setting := range settings {
		environ = append(environ, "LOCKBOX_"+setting)
	}
	config, unknown, err := boot.ReadEnvironment(environ)
	if err != nil || len(unknown) > 0 {
		return nil, fmt.Errorf("settings: %w, unknown: %v", err, unknown)
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
	return &Server{
		URL:      "http://" + app.Addr().(*net.TCPAddr).String(),
		Database: database,
		Log:      log,
		Stop:     stop,
	}, nil
}
