package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// These are the scenarios in the order of execution. Scenarios that hash passwords or derive keys come last, so that
// the memory use of reads and writes is measured before them.
var (
	plain   = []string{"read", "write", "mixed", "list", load.Alone}
	hashing = []string{"revoke", "passphrase", "sign-in"}
)

// measure fills a Lockbox, alternates runs of Lockbox and of the floor, and reports the results.
func (b *bench) measure(ctx context.Context) error {
	t, err := b.add(ctx, "main", b.program, b.settings...)
	if err != nil {
		return err
	}
	say("filling %d boxes × %d entries for %d users", b.size.Boxes, b.size.Entries, b.size.Users)
	place, err := b.fill(ctx, t)
	if err != nil {
		return err
	}
	floors, err := b.makeFloor(ctx, t)
	if err != nil {
		return err
	}
	switch b.spoil {
	case "values":
		err = b.writeBehindItsBack(t, place)
	case "record":
		err = b.cluster.execute(ctx, t.database, dropReads,
			`CREATE TRIGGER drop_reads BEFORE INSERT ON events FOR EACH ROW
			WHEN (NEW.action = 'entry.read') EXECUTE FUNCTION drop_reads()`)
	}
	if err != nil {
		return err
	}
	if err := b.serve(ctx, t); err != nil { // restarts the server, because filling it has hashed passwords
		return err
	}
	r := &report{Machine: b.machine(), StartMillis: float64(t.server.started.Microseconds()) / 1000,
		IdleMB: peakMemory(t.server.pid())}
	if err := b.rounds(ctx, t, floors, b.chosen(plain), r); err != nil {
		return err
	}
	r.BusyMB = peakMemory(t.server.pid())
	if err := b.rounds(ctx, t, floors, b.chosen(hashing), r); err != nil {
		return err
	}
	r.PeakMB = peakMemory(t.server.pid())
	if err := b.addTimes(t, r); err != nil {
		return err
	}
	if err := b.check(ctx, t); err != nil {
		return err
	}
	if err := errors.Join(b.count(ctx, t, r), b.verdict()); err != nil {
		return err
	}
	if err := r.write(b.output); err != nil {
		return err
	}
	r.print(os.Stdout)
	return nil
}

// chosen returns the selected scenarios, or all if none was selected.
func (b *bench) chosen(of []string) []string {
	if b.scenario == "" {
		return of
	}
	asked := strings.Split(b.scenario, ",")
	return slices.DeleteFunc(slices.Clone(of), func(name string) bool { return !slices.Contains(asked, name) })
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

// rounds first warms up each scenario. It then alternates between slices of all scenarios and their floors. Every
// second round runs in reverse order, so that other load on the machine affects all slices equally.
func (b *bench) rounds(ctx context.Context, t *target, floors floorScripts, scenarios []string, r *report) error {
	for _, name := range scenarios {
		if _, err := b.drive(t, load.Run{Scenario: name, For: b.warmUp, Warm: true}); err != nil {
			return err
		}
		if err := b.verdict(); err != nil {
			return err
		}
		if script := floors[name]; script != "" && b.warmUp >= time.Second { // the shortest run that pgbench allows
			if _, err := b.cluster.floor(ctx, t.database, script, b.connections, b.warmUp); err != nil {
				return err
			}
		}
	}
	for round := range b.options.rounds {
		order := slices.Clone(scenarios)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, name := range order {
			if err := b.turn(ctx, t, floors[name], r.of(name), round%2 == 1); err != nil {
				return err
			}
		}
		say("round %d of %d: %s", round+1, b.options.rounds, r.rates(scenarios))
		if err := b.verdict(); err != nil {
			return err
		}
	}
	return nil
}

// turn runs one slice of a scenario. If the scenario has a floor, turn also runs one slice of the floor.
func (b *bench) turn(ctx context.Context, t *target, script string, f *figures, floorFirst bool) error {
	var floor floorSlice
	runFloor := func() (err error) {
		if script != "" {
			floor, err = b.cluster.floor(ctx, t.database, script, b.connections, b.slice)
		}
		return err
	}
	if floorFirst {
		if err := runFloor(); err != nil {
			return err
		}
	}
	before := b.cpuNow(t)
	slice, err := b.drive(t, load.Run{Scenario: f.Scenario, For: b.slice})
	if err != nil {
		return err
	}
	used := b.cpuNow(t).minus(before)
	f.add(slice, used)
	if !floorFirst {
		if err := runFloor(); err != nil {
			return err
		}
	}
	if script != "" {
		f.addFloor(floor, slice, used)
	}
	return nil
}

// cpu holds CPU seconds over all cores.
type cpu struct {
	Server   float64 `json:"server"`
	Postgres float64 `json:"postgres"`
	Load     float64 `json:"load"`
}

func (c cpu) minus(o cpu) cpu {
	return cpu{c.Server - o.Server, c.Postgres - o.Postgres, c.Load - o.Load}
}

func (c cpu) plus(o cpu) cpu {
	return cpu{c.Server + o.Server, c.Postgres + o.Postgres, c.Load + o.Load}
}

func (c cpu) sum() float64 { return c.Server + c.Postgres + c.Load }

func (b *bench) cpuNow(t *target) cpu {
	return cpu{cpuOf(t.server.pid()), b.cluster.cpu(), cpuOf(t.load.pid())}
}

func (b *bench) addTimes(t *target, r *report) error {
	reply, err := t.load.tell(load.Order{Summary: append(slices.Clone(plain), hashing...)})
	for _, f := range r.Scenarios {
		f.Times = reply.Times[f.Scenario]
	}
	return err
}

// count runs every scenario once more through a proxy. The proxy is between the program and the database, and counts
// statements and round trips. The timed slices run without the proxy, because the proxy would slow them.
func (b *bench) count(ctx context.Context, t *target, r *report) error {
	w, err := startWire(b.cluster.server)
	if err != nil {
		return err
	}
	defer w.close()
	direct := t.database
	t.database = w.url(direct)
	defer func() { t.database = direct }()
	if err := b.serve(ctx, t); err != nil {
		return err
	}
	for _, f := range r.Scenarios {
		// The program prepares its statements during a first slice, which is not counted.
		if _, err := b.drive(t, load.Run{Scenario: f.Scenario, For: 300 * time.Millisecond, Warm: true}); err != nil {
			return err
		}
		before := w.counts()
		slice, err := b.drive(t, load.Run{Scenario: f.Scenario, For: min(b.slice, time.Second), Warm: true})
		if err != nil {
			return err
		}
		f.Wire = w.counts().since(before, slice.Requests)
	}
	return nil
}

const dropReads = `CREATE FUNCTION drop_reads() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$`

// writeBehindItsBack starts a second load process, which overwrites random entries for 200 ms. The load driver of the
// target must detect the unexpected values.
func (b *bench) writeBehindItsBack(t *target, place load.Place) error {
	other, err := startLoad(context.Background())
	if err != nil {
		return err
	}
	defer other.stop()
	if _, err := other.tell(load.Order{Connect: 1, Address: t.server.address, Adopt: &place}); err != nil {
		return err
	}
	_, err = other.tell(load.Order{Run: &load.Run{Scenario: "write", For: 200 * time.Millisecond, Warm: true}})
	return err
}
