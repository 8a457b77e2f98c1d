package main

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// probeInterval is the time between two probes. The length of a database outage cannot be measured more precisely
	// than this.
	probeInterval = 50 * time.Millisecond
	// probeLimit is the timeout of a single write of the probe. In strict mode, this includes the time that PostgreSQL
	// waits for a standby.
	probeLimit = 500 * time.Millisecond
)

// probe writes to each node directly, without Lockbox. Its successful writes show when the cluster accepts writes.
type probe struct {
	mu        sync.Mutex
	successes []time.Time
	cancel    context.CancelFunc
	group     sync.WaitGroup
}

// startProbe probes all nodes until it is stopped.
func startProbe(ctx context.Context, c *cluster) *probe {
	p := &probe{}
	ctx, p.cancel = context.WithCancel(ctx)
	for _, each := range c.nodes {
		p.group.Go(func() { p.run(ctx, each) })
	}
	return p
}

// stop ends the probe.
func (p *probe) stop() {
	p.cancel()
	p.group.Wait()
}

// run probes one node. The probe keeps its connection after a successful write. It also keeps the connection if a
// standby refuses the write, because the standby can become the primary.
func (p *probe) run(ctx context.Context, n *node) {
	var conn *pgx.Conn
	for sleep(ctx, probeInterval) == nil {
		trying, cancel := context.WithTimeout(ctx, probeLimit)
		var err error
		if conn == nil || conn.IsClosed() {
			conn, err = pgx.Connect(trying, n.url("postgres"))
		}
		if err == nil {
			_, err = conn.Exec(trying, "UPDATE probe SET n = n + 1 WHERE id = 1")
		}
		cancel()
		if err == nil {
			p.mu.Lock()
			p.successes = append(p.successes, time.Now())
			p.mu.Unlock()
		}
	}
	if conn != nil {
		_ = conn.PgConn().Conn().Close() // sends no Terminate message, because the node may be frozen
	}
}

// between returns the times of successful writes between from and to, in ascending order.
func (p *probe) between(from, to time.Time) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []time.Time
	for _, at := range p.successes {
		if at.After(from) && at.Before(to) {
			found = append(found, at)
		}
	}
	return sorted(found)
}

// sorted sorts times in place.
func sorted(times []time.Time) []time.Time {
	slices.SortFunc(times, time.Time.Compare)
	return times
}

// longestGap returns the longest time between two consecutive events, and when this time ended. The times from and to
// count as events too.
func longestGap(events []time.Time, from, to time.Time) (gap time.Duration, end time.Time) {
	last := from
	for _, at := range append(slices.Clone(events), to) {
		if at.Sub(last) > gap {
			gap, end = at.Sub(last), at
		}
		last = at
	}
	return gap, end
}
