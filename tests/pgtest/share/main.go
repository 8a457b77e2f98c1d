// Command share runs a command with one PostgreSQL server for all its test binaries:
//
//	go run ./tests/pgtest/share -- go test ./...
//
// Without share, each test binary starts its own server. If LOCKBOX_TEST_DATABASE_URL is set, share starts no server.
// share exits with the exit code of the command, with 128 plus the signal number if a signal killed the command, or
// with 125 if share itself failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// failed is the exit code if share itself fails. Few other commands use this code.
const failed = 125

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: share -- command [argument…]")
		return failed
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	server, err := pgtest.Provide(context.Background())
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "share:", err)
		return failed
	}
	code, err := runWith(server.URL, args, signals)
	if err := errors.Join(err, server.Stop()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "share:", err)
		return failed
	}
	return code
}

// runWith runs the command, forwards signals to it, and returns its exit code.
func runWith(url string, args []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), pgtest.Variable+"="+url)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return failed, err
	}
	ended := make(chan struct{})
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		for {
			select {
			case received := <-signals:
				_ = cmd.Process.Signal(received)
			case <-ended:
				return
			}
		}
	}()
	err := cmd.Wait()
	close(ended)
	<-forwarded
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil // as a shell reports it
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}
