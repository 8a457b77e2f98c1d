package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/testcontainers/testcontainers-go"
	container "github.com/testcontainers/testcontainers-go/modules/postgres"

	"github.com/lockbox-go/lockbox/adapters/localpg"
)

// Variable names the server of the tests: a URL of a role that may create databases.
const Variable = "LOCKBOX_TEST_DATABASE_URL"

// image is the newest PostgreSQL that Lockbox supports.
const image = "postgres:18-alpine"

// serverSettings are for many small databases that each live for seconds and are never recovered. With a small buffer
// pool, the checkpoints of CREATE DATABASE and DROP DATABASE have little to scan.
var serverSettings = map[string]string{
	"autovacuum":         "off",
	"checkpoint_timeout": "1h",
	"jit":                "off",
	"max_connections":    "400",
	"max_wal_senders":    "0",
	"max_wal_size":       "256MB",
	"shared_buffers":     "32MB",
	"wal_level":          "minimal",
}

// Server is a PostgreSQL for tests.
type Server struct {
	// URL is of a database from which others can be created.
	URL string
	// Stop ends the server if Provide started it.
	Stop func() error
}

// Provide finds or starts a server, in the order that the package's comment gives. A server from the machine's
// binaries ends with this process even if Stop is never called; so does a container, unless the reaper of
// testcontainers is turned off.
func Provide(ctx context.Context) (*Server, error) {
	if given := os.Getenv(Variable); given != "" {
		return &Server{URL: given, Stop: func() error { return nil }}, nil
	}
	local, err := localpg.Start(ctx, localpg.Config{TempParent: memoryFolder(), Settings: serverSettings})
	if err == nil {
		return &Server{URL: local.URL("postgres"), Stop: local.Stop}, nil
	}
	if !errors.Is(err, localpg.ErrMissing) {
		return nil, err
	}
	contained, dockerErr := startContainer(ctx)
	if dockerErr != nil {
		return nil, fmt.Errorf("set %s, or: %w; Docker, the last resort, failed too: %w", Variable, err, dockerErr)
	}
	return contained, nil
}

func startContainer(ctx context.Context) (server *Server, err error) {
	defer func() {
		// testcontainers panics where it finds no Docker.
		if reason := recover(); reason != nil {
			server, err = nil, fmt.Errorf("%v", reason)
		}
	}()
	running, err := container.Run(ctx, image, container.BasicWaitStrategies(), testcontainers.WithCmdArgs(
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=400"))
	stop := func() error { return testcontainers.TerminateContainer(running) }
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	address, err := running.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	return &Server{URL: address, Stop: stop}, nil
}
