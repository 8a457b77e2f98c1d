//go:build container

// Command container runs PostgreSQL in a Docker container for tests: it prints the URL, and removes the container when
// its standard input ends. If the command is killed, the reaper of testcontainers removes the container.
//
// It has a build tag of its own because `go test ./...` also compiles packages without tests, and a Docker client takes
// longer to compile than the rest of the tests' libraries.
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

// image is the newest PostgreSQL that Lockbox supports.
const image = "postgres:18-alpine"

func main() {
	// An interrupt at the terminal reaches this process too. The container must outlive the tests, which end first.
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	if err := hold(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

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

func run(ctx context.Context) (running *postgres.PostgresContainer, err error) {
	defer func() {
		// testcontainers panics where it finds no Docker.
		if reason := recover(); reason != nil {
			err = fmt.Errorf("%v", reason)
		}
	}()
	return postgres.Run(ctx, image, postgres.BasicWaitStrategies(), testcontainers.WithCmdArgs(
		"-c", "fsync=off", "-c", "full_page_writes=off", "-c", "synchronous_commit=off", "-c", "max_connections=400"))
}
