// Command ha runs Lockbox on a PostgreSQL cluster that fails over, and verifies that Lockbox keeps its promises to
// clients:
//
//	go run ./tests/ha -faults 50        # what `make ha` runs
//	go run ./tests/ha -async            # with asynchronous replication, which loses acknowledged writes
//
// The cluster has three nodes. Each node runs PostgreSQL with synchronous replication, Patroni and etcd. Two Lockbox
// servers connect to the cluster: one with a URL that lists all nodes, and one through HAProxy. Writers and readers
// send requests while the nodes are killed, frozen and partitioned. Afterwards, the program compares the responses with
// the content of the database, including the audit log. It exits with 1 if a promise was broken.
//
// Everything runs in separate network and process namespaces. The program therefore needs root rights. After a run, no
// process and no network interface remains.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/lockbox-go/lockbox/tests/memory"
)

// insideVariable is the name of an environment variable. It is set in the process that runs inside the namespaces.
const insideVariable = "LOCKBOX_HA_INSIDE"

func main() {
	if err := start(); err != nil {
		fmt.Fprintln(os.Stderr, "ha:", err)
		os.Exit(1)
	}
}

func start() error {
	o := parseFlags()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if os.Getenv(insideVariable) == "" {
		return outside(ctx, o)
	}
	report, err := execute(ctx, o, os.Stdout)
	if report == nil {
		return err
	}
	report.print(os.Stdout)
	broken := []error{err}
	if o.json != "" {
		broken = append(broken, report.save(o.json))
	}
	for _, each := range report.failures(!o.untimed) {
		broken = append(broken, errors.New(each))
	}
	return errors.Join(broken...)
}

// outside builds the program under test and runs this program again in namespaces of its own.
func outside(ctx context.Context, o options) error {
	if os.Geteuid() != 0 {
		return errors.New("creating network namespaces needs root: run it with sudo")
	}
	args := os.Args[1:]
	if o.program == "" {
		folder, err := os.MkdirTemp("", "lockbox-ha-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(folder) }()
		program := filepath.Join(folder, "lockbox")
		arguments := []string{"build", "-buildvcs=false", "-o", program, "./cmd/lockbox"}
		if out, err := exec.CommandContext(ctx, "go", arguments...).CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		args = append([]string{"-program", program}, args...)
	}
	return inside(ctx, args)
}

func parseFlags() options {
	var o options
	flag.IntVar(&o.faults, "faults", 50, "number of faults")
	flag.StringVar(&o.program, "program", "", "the binary to test instead of a build of the working tree")
	flag.StringVar(&o.bin, "bin", newestBin(), "the folder with PostgreSQL's programs")
	flag.StringVar(&o.json, "json", "", "file to write the report to")
	flag.BoolVar(&o.keep, "keep", false, "keep the folder with the logs")
	flag.BoolVar(&o.async, "async", false, "replicate asynchronously; acknowledged writes may then be lost")
	flag.BoolVar(&o.untimed, "untimed", false, "report durations but ignore their limits; "+
		"use this option on a machine that also runs other programs")
	flag.IntVar(&o.accounts, "accounts", 8, "number of users; each user writes and reads one entry")
	flag.DurationVar(&o.interval, "interval", 200*time.Millisecond, "time between two writes of a user")
	flag.Parse()
	return o
}

// dataParent returns the parent of the folder with the cluster's data. The parent is in memory if the machine allows
// this.
func dataParent() string { return cmp.Or(memory.Folder(), "/tmp") }
