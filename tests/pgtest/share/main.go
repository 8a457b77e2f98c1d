// Command share runs a command with one PostgreSQL server for all the tests in it:
//
//	go run ./tests/pgtest/share -- go test ./...
//
// Test binaries would otherwise start one each. A server that LOCKBOX_TEST_DATABASE_URL names already is passed on.
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

// failed is the exit code for failures of share's own, apart from those of most commands.
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

// runWith runs the command to its end, handing signals on, and returns its exit code.
func runWith(url string, args []string, signals <-chan os.Signal) (int, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), pgtest.Variable+"="+url)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return failed, err
	}
	ended := make(chan struct{})
	handedOn := make(chan struct{})
	go func() {
		defer close(handedOn)
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
	<-handedOn
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			return 128 + int(status.Signal()), nil // as a shell reports it
		}
		return exit.ExitCode(), nil
	}
	return 0, err
}
