package main

import (
	"context"
	"fmt"
	"time"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// These are the sizes of the small box and of the large boxes.
const (
	fewEntries, manyEntries = 1_000, 1_000_000
	fewUsers, manyUsers     = 10, 10_000
)

// scaleReport contains, for each round, the read rate of a large box divided by the read rate of a small box.
type scaleReport struct {
	Machine machine   `json:"machine"`
	Entries []contest `json:"million_entries_to_thousand"`
	Users   []contest `json:"ten_thousand_users_to_ten"`
}

// scale measures reads. In each read, a random user of a box reads a random entry. The reads alternate between a small
// box, a box with many entries, and a box with many users. Each box is in its own database.
func (b *bench) scale(ctx context.Context) error {
	small, err := b.grown(ctx, "small", load.Size{Boxes: 1, Entries: fewEntries, Users: fewUsers})
	if err != nil {
		return err
	}
	entries, err := b.grown(ctx, "entries", load.Size{Boxes: 1, Entries: manyEntries, Users: fewUsers})
	if err != nil {
		return err
	}
	users, err := b.grown(ctx, "users", load.Size{Boxes: 1, Entries: fewEntries, Users: manyUsers})
	if err != nil {
		return err
	}
	r := scaleReport{Machine: b.machine()}
	err = b.turns([]string{"read"}, small, entries,
		func(_ string, ratio contest) { r.Entries = append(r.Entries, ratio) })
	if err != nil {
		return err
	}
	err = b.turns([]string{"read"}, small, users, func(_ string, ratio contest) { r.Users = append(r.Users, ratio) })
	if err != nil {
		return err
	}
	if err := writeJSON(b.output, "scale", r); err != nil {
		return err
	}
	fmt.Println(r.Machine)
	for what, ratios := range map[string][]contest{
		fmt.Sprintf("from %d to %d entries", fewEntries, manyEntries): r.Entries,
		fmt.Sprintf("from %d to %d users", fewUsers, manyUsers):       r.Users} {
		middle := medians(ratios)
		fmt.Printf("%-8s if a box grows %s, the rate of reads stays at 0.90 or more of the old rate: %.3f "+
			"(the processor time of a request is %.3f times the old time)\n",
			holds(middle.Rate >= .9), what, middle.Rate, middle.CPU)
	}
	return nil
}

// grown creates a target, fills a small part over HTTP and writes the rest directly into the tables.
func (b *bench) grown(ctx context.Context, name string, size load.Size) (*target, error) {
	t, err := b.add(ctx, name, b.program, append(b.settings, "MAX_ENTRIES_PER_BOX=0", "MAX_BYTES_PER_BOX=0",
		"MAX_USERS_PER_BOX=0")...)
	if err != nil {
		return nil, err
	}
	say("filling a box with %d entries and %d users", size.Entries, size.Users)
	all := b.size
	b.size = load.Size{Boxes: 1, Entries: fewEntries, Users: fewUsers}
	place, err := b.fill(ctx, t)
	b.size = all
	if err != nil {
		return nil, err
	}
	begin := time.Now()
	if place, err = grow(ctx, t.database, place, size); err != nil {
		return nil, fmt.Errorf("grow a box: %w", err)
	}
	if err := b.cluster.settle(ctx, t.database); err != nil {
		return nil, err
	}
	say("the rest took %s", time.Since(begin).Round(time.Second))
	if _, err = t.load.tell(load.Order{Adopt: &place}); err != nil {
		return nil, err
	}
	// Every entry is read once before the measurement. These reads verify the added rows. They also make the PostgreSQL
	// processes touch most pages of the shared memory, as the processes of a long-running server have done.
	begin = time.Now()
	_, err = t.load.tell(load.Order{Check: true})
	say("reading every entry took %s", time.Since(begin).Round(time.Second))
	return t, err
}

// queue measures the cost of having few database connections. It sends requests from 64 clients, alternately to a
// server with two database connections and to a server with default settings. Requests may wait for a connection, but
// none may fail.
func (b *bench) queue(ctx context.Context) error {
	b.connections = 64
	usual, err := b.add(ctx, "usual", b.program, b.settings...)
	if err != nil {
		return err
	}
	few, err := b.add(ctx, "few", b.program, append(b.settings, "DB_MAX_CONNS=2")...)
	if err != nil {
		return err
	}
	for _, t := range b.targets {
		if _, err := b.fill(ctx, t); err != nil {
			return err
		}
	}
	scenarios := []string{"read", "write", "list", "revoke"}
	ratios := make(map[string][]contest)
	if err := b.turns(scenarios, usual, few, func(scenario string, ratio contest) {
		ratios[scenario] = append(ratios[scenario], ratio)
	}); err != nil {
		return err
	}
	for _, t := range b.targets {
		if err := b.check(ctx, t); err != nil {
			return err
		}
	}
	for _, scenario := range scenarios {
		fmt.Printf("%-8s with %d clients: 2 database connections give %.3f times the rate of the default\n",
			scenario, b.connections, medians(ratios[scenario]).Rate)
	}
	return nil
}
