package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// bench is one run: a database cluster, the programs on it, and the errors found so far.
type bench struct {
	options
	folder  string
	commit  string // of the program, if it was built here
	cluster *cluster
	targets []*target
	wrong   []string
}

// target is a program with its own database and its own load driver.
type target struct {
	name     string
	program  string
	database string
	settings []string
	server   *server
	load     *loader
}

func (b *bench) open(ctx context.Context) (err error) {
	if b.folder, err = os.MkdirTemp("", "lockbox-bench-"); err != nil {
		return err
	}
	if b.program == "" {
		b.commit = commit()
		b.program = filepath.Join(b.folder, "lockbox")
		stripped := "-s -w"
		if b.profiled != "" {
			stripped = "" // profiles need symbol names
		}
		if err := build(ctx, ".", b.program, stripped); err != nil {
			return err
		}
	}
	b.cluster, err = startCluster(ctx)
	return err
}

func (b *bench) close() {
	for _, each := range b.targets {
		if each.server != nil {
			each.server.stop()
		}
		if each.load != nil {
			each.load.stop()
		}
	}
	if b.cluster != nil {
		b.cluster.stop()
	}
	if b.folder != "" {
		os.RemoveAll(b.folder)
	}
}

// build builds the program of a checkout in the same way as `make build`.
func build(ctx context.Context, checkout, to, ldflags string) error {
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", ldflags, "-o", to,
		"./cmd/lockbox")
	command.Dir, command.Env = checkout, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}

// add creates a target with an empty database.
func (b *bench) add(ctx context.Context, name, program string, settings ...string) (*target, error) {
	t := &target{name: name, program: program, settings: settings}
	b.targets = append(b.targets, t)
	var err error
	if t.database, err = b.cluster.create(ctx, "bench_"+name); err != nil {
		return nil, err
	}
	t.load, err = startLoad(ctx)
	return t, err
}

// serve starts or restarts the target's program, and passes the program's new address to the load driver.
func (b *bench) serve(ctx context.Context, t *target) (err error) {
	if t.server != nil {
		t.server.stop()
	}
	if t.server, err = startServer(ctx, t, b.folder); err != nil {
		return err
	}
	_, err = t.load.tell(load.Order{Connect: b.connections, Address: t.server.address})
	return err
}

// fill fills a target over HTTP and vacuums the tables, so that no vacuum runs during the first slices.
func (b *bench) fill(ctx context.Context, t *target) (load.Place, error) {
	if err := b.serve(ctx, t); err != nil {
		return load.Place{}, err
	}
	reply, err := t.load.tell(load.Order{Fill: &load.Fill{Size: b.size, Key: encryptionKey}})
	if err != nil {
		return load.Place{}, fmt.Errorf("fill the database: %w", err)
	}
	return *reply.Place, b.cluster.settle(ctx, t.database)
}

// drive runs a slice and collects its errors.
func (b *bench) drive(t *target, order load.Run) (load.Slice, error) {
	reply, err := t.load.tell(load.Order{Run: &order})
	if err != nil {
		return load.Slice{}, err
	}
	for _, wrong := range reply.Slice.Wrong {
		b.wrong = append(b.wrong, t.name+", "+order.Scenario+": "+wrong)
	}
	return *reply.Slice, nil
}

// check reads every entry of a target again and tries requests that must be refused. It also verifies that the audit
// log contains an event for each successful read and for each written version.
func (b *bench) check(ctx context.Context, t *target) error {
	reply, err := t.load.tell(load.Order{Check: true})
	if err != nil {
		b.wrong = append(b.wrong, t.name+", in the final check: "+err.Error())
		return b.verdict()
	}
	conn, err := pgx.Connect(ctx, t.database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	var versions, writes, reads uint64
	err = conn.QueryRow(ctx, `SELECT (SELECT sum(version)::bigint FROM entries),
		count(*) FILTER (WHERE action = 'entry.write'),
		count(*) FILTER (WHERE action = 'entry.read') FROM events WHERE outcome = 'success'`).Scan(&versions, &writes,
		&reads)
	if err != nil {
		return err
	}
	if versions != writes || reads < reply.Reads {
		b.wrong = append(b.wrong,
			fmt.Sprintf("%s: %d reads were answered and %d were audited; %d versions were written and %d were audited",
				t.name, reply.Reads, reads, versions, writes))
	}
	return b.verdict()
}

// verdict returns an error if any answer was wrong.
func (b *bench) verdict() error {
	if len(b.wrong) == 0 {
		return nil
	}
	return errors.New("some answers were wrong, so the figures are not valid:\n  " +
		strings.Join(b.wrong[:min(len(b.wrong), 10)], "\n  "))
}
