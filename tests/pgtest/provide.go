package pgtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/lockbox-go/lockbox/adapters/localpg"
	"github.com/lockbox-go/lockbox/tests/memory"
)

// Variable is the name of the environment variable that contains the URL of the test server. The role in the URL needs
// the right to create databases.
const Variable = "LOCKBOX_TEST_DATABASE_URL"

const module = "github.com/lockbox-go/lockbox"

// serverSettings are fast for many small databases that exist for seconds and need no crash recovery. shared_buffers is
// small because CREATE DATABASE and DROP DATABASE scan the whole buffer pool.
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

// Server is a PostgreSQL server for tests.
type Server struct {
	// URL is the URL of a maintenance database. A connection to it can create other databases.
	URL string
	// Stop stops the server if Provide started it.
	Stop func() error
}

// Provide finds or starts a server. The comment of the package describes where it looks, and in which order. A server
// that Provide started ends with this process, even if Stop is never called.
func Provide(ctx context.Context) (*Server, error) {
	if given := os.Getenv(Variable); given != "" {
		return &Server{URL: given, Stop: func() error { return nil }}, nil
	}
	local, err := localpg.Start(ctx, localpg.Config{TempParent: memory.Folder(), Settings: serverSettings})
	if err == nil {
		return &Server{URL: local.URL("postgres"), Stop: local.Stop}, nil
	}
	if !errors.Is(err, localpg.ErrMissing) {
		return nil, err
	}
	contained, dockerErr := startContainer(ctx)
	if dockerErr != nil {
		return nil, fmt.Errorf("%w; alternatively, set %s to the URL of a PostgreSQL server; "+
			"the tests also tried to start PostgreSQL in a container: %w", err, Variable, dockerErr)
	}
	return contained, nil
}

// startContainer runs tests/pgtest/container. The program removes the container when its standard input ends: after a
// call of Stop, or when this process exits. It is a separate program so that test binaries do not contain a Docker
// client.
func startContainer(ctx context.Context) (*Server, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, err
	}
	var stderr bytes.Buffer
	command := exec.Command("go", "run", "-tags", "container", "./tests/pgtest/container")
	command.Dir, command.Stderr = strings.TrimSpace(string(root)), &stderr
	stdin, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(stdout).ReadString('\n')
	stop := func() error { return errors.Join(stdin.Close(), command.Wait()) }
	if err != nil {
		return nil, errors.Join(err, stop(), errors.New(strings.TrimSpace(stderr.String())))
	}
	return &Server{URL: strings.TrimSpace(address), Stop: stop}, nil
}
