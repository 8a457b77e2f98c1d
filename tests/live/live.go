// Package live runs the program, on a real PostgreSQL, for tests and examples that share one: they have no testing.TB
// of their own to end it with.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// Server is one running Lockbox.
type Server struct {
	URL string
	// Stop ends it and drops its database.
	Stop func() error
}

// Start runs a Lockbox on a database of its own, with derivations that cost next to nothing and room for wrong attempts.
// Settings are NAME=value without the prefix LOCKBOX_.
func Start(settings ...string) (*Server, error) {
	database, drop, err := pgtest.Open()
	if err != nil {
		return nil, err
	}
	server, err := startOn(database, settings)
	if err != nil {
		return nil, errors.Join(err, drop())
	}
	stop := server.Stop
	server.Stop = func() error { return errors.Join(stop(), drop()) }
	return server, nil
}

func startOn(database string, settings []string) (*Server, error) {
	environ := []string{"LOCKBOX_DATABASE_URL=" + database, "LOCKBOX_SECRET_KEY=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
		"LOCKBOX_HTTP_ADDR=127.0.0.1:0", "LOCKBOX_KDF_MEMORY_KIB=64", "LOCKBOX_KDF_TIME=1", "LOCKBOX_THROTTLE_FREE_ATTEMPTS=100000"}
	for _, setting := range settings {
		environ = append(environ, "LOCKBOX_"+setting)
	}
	config, unknown, err := boot.ReadEnvironment(environ)
	if err != nil || len(unknown) > 0 {
		return nil, fmt.Errorf("settings: %w, unknown: %v", err, unknown)
	}
	app, err := boot.New(config, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	select {
	case <-app.Ready():
	case err := <-ended:
		cancel()
		return nil, fmt.Errorf("the server did not start: %w", err)
	case <-time.After(time.Minute):
		cancel()
		return nil, errors.Join(errors.New("the server did not start within a minute"), <-ended)
	}
	return &Server{URL: "http://" + app.Addr().(*net.TCPAddr).String(), Stop: func() error {
		cancel()
		return <-ended
	}}, nil
}
