// Command harness measures the shipped program against the minimal PostgreSQL work for the same request:
//
//	go run ./tests/bench/harness                        # what `make bench` runs
//	go run ./tests/bench/harness -base HEAD~1           # two commits side by side
//	go run ./tests/bench/harness -scenario scale        # small tables against large ones
//
// It starts a PostgreSQL server with durable commits, the program and the load, each as a process. It exits with 1 if
// any answer was wrong. The harness prints whether the figures reach their targets, but this does not affect the exit
// code.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// options holds the flags.
type options struct {
	size        load.Size
	connections int
	rounds      int
	slice       time.Duration
	warmUp      time.Duration
	scenario    string
	base        string
	program     string
	output      string
	profiled    string
	settings    settings
	spoil       string
}

// settings is a list of NAME=value.
type settings []string

func (s *settings) String() string { return strings.Join(*s, " ") }

// Set adds a setting.
func (s *settings) Set(text string) error {
	if !strings.Contains(text, "=") {
		return errors.New("it must be NAME=value")
	}
	*s = append(*s, text)
	return nil
}

func main() {
	// The load driver is this program with the argument "load", in a separate process.
	if len(os.Args) == 2 && os.Args[1] == "load" {
		if err := load.Serve(os.Stdin, os.Stdout); err != nil {
			fail(err)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, parse())
	stop()
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bench:", err)
	os.Exit(1)
}

func parse() options {
	var o options
	flag.IntVar(&o.size.Boxes, "boxes", 10, "boxes to fill")
	flag.IntVar(&o.size.Entries, "entries", 1000, "entries in each box")
	flag.IntVar(&o.size.Users, "users", 100, "users of each box")
	flag.IntVar(&o.connections, "connections", 32, "concurrent connections that make requests")
	flag.IntVar(&o.rounds, "rounds", 6,
		"the number of rounds; a round runs one slice of each scenario, and each round reverses the order")
	flag.DurationVar(&o.slice, "slice", 2*time.Second,
		"how long a slice lasts; each scenario runs for rounds × slice in total")
	flag.DurationVar(&o.warmUp, "warm-up", 3*time.Second, "how long each scenario runs before the measurement begins")
	flag.StringVar(&o.scenario, "scenario", "",
		"the scenarios to run, separated by commas: "+strings.Join(load.Scenarios(), ", ")+"; "+
			"alternatively, \"scale\" compares small and large tables, "+
			"and \"queue\" compares 2 database connections with the default number")
	flag.StringVar(&o.base, "base", "", "a commit to compare with the checked-out code")
	flag.StringVar(&o.program, "program", "", "the binary to measure instead of a build of the checked-out code")
	flag.StringVar(&o.output, "output", "",
		"the JSON file for the figures, instead of a new file under tests/bench/results")
	flag.StringVar(&o.profiled, "profile", "", "a scenario to profile with Linux's perf")
	flag.Var(&o.settings, "set",
		"a setting for the checked-out code, as NAME=value without the prefix LOCKBOX_; the flag can be repeated")
	flag.StringVar(&o.spoil, "spoil", "",
		"for testing the harness: \"values\" overwrites entries during the load, "+
			"and \"record\" disables the audit of reads; with either value, the run must fail")
	flag.Parse()
	return o
}

// check returns an error for invalid options and invalid combinations.
func (o options) check() error {
	apart := o.scenario == "scale" || o.scenario == "queue"
	if o.profiled != "" && (o.base != "" || o.scenario != "") || apart && o.base != "" {
		return errors.New("-profile cannot be combined with -base or -scenario, " +
			"and -base cannot be combined with -scenario scale or -scenario queue")
	}
	var asked []string
	if o.scenario != "" && !apart {
		asked = strings.Split(o.scenario, ",")
	}
	if o.profiled != "" {
		asked = append(asked, o.profiled)
	}
	for _, name := range asked {
		if !slices.Contains(load.Scenarios(), name) {
			return fmt.Errorf("unknown scenario %q; the scenarios are %s, scale and queue", name,
				strings.Join(load.Scenarios(), ", "))
		}
	}
	return nil
}

func run(ctx context.Context, o options) error {
	if err := o.check(); err != nil {
		return err
	}
	b := &bench{options: o}
	defer b.close()
	if err := b.open(ctx); err != nil {
		return err
	}
	switch {
	case o.profiled != "":
		return b.profile(ctx)
	case o.base != "":
		return b.compare(ctx)
	case o.scenario == "scale":
		return b.scale(ctx)
	case o.scenario == "queue":
		return b.queue(ctx)
	default:
		return b.measure(ctx)
	}
}
