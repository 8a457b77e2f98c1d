package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// comparison holds, for each scenario, the results of the comparison with another commit.
type comparison struct {
	Machine machine              `json:"machine"`
	Base    string               `json:"base"`
	Ratios  map[string][]contest `json:"ratios"`
}

// contest holds two ratios of adjacent slices: the ratio of their rates, and the ratio of their CPU times per request.
// On a shared machine, the ratio of CPU times is more reliable than the ratio of rates.
type contest struct {
	Rate float64 `json:"rate"`
	CPU  float64 `json:"cpu_per_request"`
}

// medians returns the median of the rate ratios and the median of the CPU ratios.
func medians(of []contest) contest {
	var rates, cpus []float64
	for _, each := range of {
		rates, cpus = append(rates, each.Rate), append(cpus, each.CPU)
	}
	return contest{median(rates), median(cpus)}
}

// compare builds another commit and runs slices of both in turn, each on its own database.
func (b *bench) compare(ctx context.Context) error {
	program, commit, err := b.buildBase(ctx)
	if err != nil {
		return err
	}
	before, err := b.add(ctx, "base", program)
	if err != nil {
		return err
	}
	after, err := b.add(ctx, "this", b.program, b.settings...)
	if err != nil {
		return err
	}
	for _, t := range b.targets {
		say("filling %d boxes × %d entries for %d users, %s", b.size.Boxes, b.size.Entries, b.size.Users, t.name)
		if _, err := b.fill(ctx, t); err != nil {
			return err
		}
	}
	found := comparison{Machine: b.machine(), Base: commit, Ratios: make(map[string][]contest)}
	scenarios := b.chosen(slices.Concat(plain, hashing))
	err = b.turns(scenarios, before, after, func(scenario string, ratio contest) {
		found.Ratios[scenario] = append(found.Ratios[scenario], ratio)
	})
	if err != nil {
		return err
	}
	for _, t := range b.targets {
		if err := b.check(ctx, t); err != nil {
			return err
		}
	}
	if err := writeJSON(b.output, "compare", found); err != nil {
		return err
	}
	fmt.Println(found.Machine)
	for _, scenario := range scenarios {
		middle := medians(found.Ratios[scenario])
		fmt.Printf("%-10s has %.3f times the rate of %s, and needs %.3f times the processor time for a request\n",
			scenario, middle.Rate, commit, middle.CPU)
	}
	return nil
}

// turns measures two targets in alternating slices. It reverses the order of the targets in every second round, and
// divides the rate and the CPU time per request of the second target by those of the first.
func (b *bench) turns(scenarios []string, one, two *target, tell func(scenario string, ratio contest)) error {
	for _, scenario := range scenarios {
		for _, t := range []*target{one, two} {
			if _, err := b.drive(t, load.Run{Scenario: scenario, For: b.warmUp, Warm: true}); err != nil {
				return err
			}
		}
	}
	for round := range b.options.rounds {
		for _, scenario := range scenarios {
			order := []*target{one, two}
			if round%2 == 1 {
				order = []*target{two, one}
			}
			rates, cpus := make(map[*target]float64), make(map[*target]float64)
			for _, t := range order {
				before := b.cpuNow(t)
				slice, err := b.drive(t, load.Run{Scenario: scenario, For: b.slice})
				if err != nil {
					return err
				}
				used := b.cpuNow(t).minus(before)
				rates[t], cpus[t] = slice.Rate(), (used.Server+used.Postgres)/float64(max(1, slice.Requests))
			}
			ratio := contest{rates[two] / rates[one], cpus[two] / max(cpus[one], 1e-9)}
			tell(scenario, ratio)
			if err := b.verdict(); err != nil {
				return err
			}
			say("round %d of %d, %s: %.0f/s and %.0f/s; the ratio is %.3f, and the ratio of processor times is %.3f",
				round+1, b.options.rounds, scenario, rates[one], rates[two], ratio.Rate, ratio.CPU)
		}
	}
	return nil
}

// buildBase builds the base commit in a separate checkout and returns the program and the commit's name.
func (b *bench) buildBase(ctx context.Context) (program, commit string, err error) {
	git := func(args ...string) (string, error) {
		out, err := exec.CommandContext(ctx, "git", args...).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("git %s: %w\n%s", args[0], err, out)
		}
		return strings.TrimSpace(string(out)), nil
	}
	if commit, err = git("rev-parse", "--short", "--verify", b.base+"^{commit}"); err != nil {
		return "", "", err
	}
	checkout := filepath.Join(b.folder, "base")
	if _, err := git("worktree", "add", "--detach", checkout, commit); err != nil {
		return "", "", err
	}
	defer func() {
		os.RemoveAll(checkout)
		_, _ = git("worktree", "prune")
	}()
	program = filepath.Join(b.folder, "lockbox-base")
	return program, commit, build(ctx, checkout, program, "-s -w")
}
