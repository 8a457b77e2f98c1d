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

// Variable names the server of the tests: a URL of a role that may create databases.
const Variable = "LOCKBOX_TEST_DATABASE_URL"

const module = "github.com/lockbox-go/lockbox"

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
	local, err := localpg.Start(ctx, localpg.Config{TempParent: memory.Folder(), Settings: serverSettings})
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

// startContainer runs tests/pgtest/container, which holds the container until its standard input ends: with this
// process at the latest. It is a program of its own so that no other test is compiled and linked with a Docker client.
func startContainer(ctx context.Context) (*Server, error) {
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return nil, err
	}
	var complaint bytes.Buffer
	holder := exec.Command("go", "run", "-tags", "container", "./tests/pgtest/container")
	holder.Dir, holder.Stderr = strings.TrimSpace(string(root)), &complaint
	end, err := holder.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := holder.Start(); err != nil {
		return nil, err
	}
	address, err := bufio.NewReader(out).ReadString('\n')
	stop := func() error { return errors.Join(end.Close(), holder.Wait()) }
	if err != nil {
		return nil, errors.Join(err, stop(), errors.New(strings.TrimSpace(complaint.String())))
	}
	return &Server{URL: strings.TrimSpace(address), Stop: stop}, nil
}
