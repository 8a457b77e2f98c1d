//go:build container

// Command container runs PostgreSQL in a Docker container for tests. It prints the URL of the server, and removes the
// container when its own standard input ends. The library testcontainers also starts a cleanup container. If the
// command is killed, the cleanup container removes the container of PostgreSQL.
//
// The file has a build tag because `go test ./...` also compiles packages without tests. Without the tag, that command
// would compile a Docker client every time.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// image is the newest supported PostgreSQL version.
const image = "postgres:18.6-alpine@" +
	"sha256:d3e1620b530c944afa6e887d22eb899824da68e19c52024bf98f5220c88a65b2"

func main() {
	// This process ignores signals. If the user presses Ctrl-C, the terminal sends SIGINT to the tests and to this
	// process. The tests need the container until they have stopped.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := hold(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// hold runs the container until the end of standard input.
func hold(ctx context.Context) (err error) {
	running, err := run(ctx)
	defer func() { err = errors.Join(err, testcontainers.TerminateContainer(running)) }()
	if err != nil {
		return err
	}
	address, err := running.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		return err
	}
	fmt.Println(address)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// run starts the container and waits until it accepts connections.
func run(ctx context.Context) (running *postgres.PostgresContainer, err error) {
	defer func() {
		// The library testcontainers panics if it cannot find Docker.
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	return postgres.Run(ctx, image, postgres.BasicWaitStrategies(), testcontainers.WithCmdArgs(
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=400"))
}
