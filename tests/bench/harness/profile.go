package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// profile runs one scenario and prints where the server spends CPU time, measured with Linux's perf. The program itself
// exposes no profiling endpoint.
func (b *bench) profile(ctx context.Context) error {
	t, err := b.add(ctx, "main", b.program, b.settings...)
	if err != nil {
		return err
	}
	if _, err := b.fill(ctx, t); err != nil {
		return err
	}
	if _, err := b.drive(t, load.Run{Scenario: b.options.profiled, For: b.warmUp, Warm: true}); err != nil {
		return err
	}
	samples := filepath.Join(b.folder, "perf.data")
	length := time.Duration(b.options.rounds) * b.slice
	record := exec.CommandContext(ctx, "perf", "record", "-F", "499", "-g", "-o", samples, "-p",
		strconv.Itoa(t.server.pid()),
		"--", "sleep", strconv.FormatFloat(length.Seconds(), 'f', 1, 64))
	if err := record.Start(); err != nil {
		return errors.Join(errors.New("a profile needs Linux's perf"), err)
	}
	slice, err := b.drive(t, load.Run{Scenario: b.options.profiled, For: length})
	if err := errors.Join(err, record.Wait()); err != nil {
		return err
	}
	fmt.Printf("%s: %.0f requests/s; the table shows %% of the processor time, with and without called functions\n",
		b.options.profiled, slice.Rate())
	report := exec.CommandContext(ctx, "perf", "report", "-i", samples, "--children", "-g", "none", "--percent-limit",
		"1")
	report.Stderr = os.Stderr
	out, err := report.Output()
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		// A line contains these fields: the share of the CPU time including called functions, the share without called
		// functions, the program, the mapped file, the kind of symbol, and the name of the function.
		if fields := strings.Fields(line); len(fields) > 5 && fields[0] != "#" {
			fmt.Printf("%7s %7s  %s\n", fields[0], fields[1], strings.Join(fields[5:], " "))
		}
	}
	return b.verdict()
}
