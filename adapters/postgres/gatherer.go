package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/lockbox-go/lockbox/domain"
)

// gatherer carries out in batches what concurrent requests ask for: while one batch is under way, what else comes gathers
// for the next. The more there is to do, the less a single request costs; somebody alone waits for nobody. It has no
// goroutine while there is nothing to do.
type gatherer[A, R any] struct {
	carryOut                carryOut[A, R]
	mostInBatch, mostAtOnce int
	detached                bool

	mu       sync.Mutex
	waiting  []*call[A, R]
	underWay int // batches
	closed   bool
	stats    GathererStats
	batches  sync.WaitGroup
}

// carryOut does what a batch asks for and settles its calls. If it returns an error, the calls that it left unsettled are
// tried once more, each alone; if the error is Unavailable, they all get it. ctx is the request's own when one that is not
// detached runs alone, and nobody's otherwise.
type carryOut[A, R any] func(ctx context.Context, batch []*call[A, R]) error

// newGatherer makes one with at most so many calls in a batch and so many batches at once. detached: even a lone request
// is carried out by a goroutine of its own, to its end, when its caller has given up; otherwise it runs on the caller's,
// under the caller's ctx.
func newGatherer[A, R any](carryOut carryOut[A, R], mostInBatch, mostAtOnce int, detached bool) *gatherer[A, R] {
	return &gatherer[A, R]{carryOut: carryOut, mostInBatch: mostInBatch, mostAtOnce: mostAtOnce, detached: detached}
}

// mostWaiting bounds how many requests may wait.
const mostWaiting = 4096

// GathererStats says how much was carried out so far, and what waits.
type GathererStats struct {
	Waiting int
	// Done is how many requests were carried out, in so many Batches; Refused are those that found too many before them.
	Done, Batches, Refused int64
}

var (
	errQueueFull = errors.New("too many requests wait for the database already, or it is closed")
	// errRequestEnded: what was asked for may be carried out all the same.
	errRequestEnded = errors.New("the request ended before it was carried out")
)

// call is one request in a batch.
type call[A, R any] struct {
	asked   A
	result  R
	err     error
	settled bool
	done    chan struct{}
}

// settle gives the request its answer, the first time it is called.
func (c *call[A, R]) settle(result R, err error) {
	if !c.settled {
		c.result, c.err, c.settled = result, err, true
		close(c.done)
	}
}

// do returns what became of a request. Errors of its own: Unavailable when too many wait; errRequestEnded when ctx ends
// first.
func (g *gatherer[A, R]) do(ctx context.Context, asked A) (result R, err error) {
	c := &call[A, R]{asked: asked, done: make(chan struct{})}
	free, err := g.enter(c)
	switch {
	case err != nil:
		return result, err
	case free && g.detached:
		go g.runUntilEmpty(c)
	case free:
		g.runAlone(ctx, c)
		return c.result, c.err
	}
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		return result, fmt.Errorf("%w: %w", errRequestEnded, ctx.Err())
	}
}

// enter reports whether another batch may be under way, which the caller then has to run; otherwise the request waits.
func (g *gatherer[A, R]) enter(c *call[A, R]) (free bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed || len(g.waiting) >= mostWaiting:
		g.stats.Refused++
		return false, domain.ErrBusy.Because(errQueueFull)
	case g.underWay < g.mostAtOnce:
		g.underWay++
		g.batches.Add(1)
		return true, nil
	}
	g.waiting = append(g.waiting, c)
	return false, nil
}

// runAlone leaves what has gathered meanwhile to a goroutine: the caller has its answer.
func (g *gatherer[A, R]) runAlone(ctx context.Context, c *call[A, R]) {
	g.runBatch(ctx, []*call[A, R]{c})
	if batch := g.nextBatch(); len(batch) > 0 {
		go g.runUntilEmpty(batch...)
	}
}

// runUntilEmpty runs batches until nothing waits. They are of many requests, and end with none of them.
func (g *gatherer[A, R]) runUntilEmpty(batch ...*call[A, R]) {
	for ; len(batch) > 0; batch = g.nextBatch() {
		g.runBatch(context.Background(), batch)
	}
}

// nextBatch returns what waits already, and does not wait for more. When nothing does, one batch less is under way.
func (g *gatherer[A, R]) nextBatch() []*call[A, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	size := min(len(g.waiting), g.mostInBatch)
	if size == 0 {
		g.underWay--
		g.batches.Done()
		return nil
	}
	batch := append(make([]*call[A, R], 0, size), g.waiting[:size]...)
	left := copy(g.waiting, g.waiting[size:])
	clear(g.waiting[left:])
	g.waiting = g.waiting[:left]
	return batch
}

func (g *gatherer[A, R]) runBatch(ctx context.Context, batch []*call[A, R]) {
	err := g.carryOutSafely(ctx, batch)
	if err == nil {
		g.count(len(batch))
	}
	left := batch[:0]
	for _, c := range batch {
		if !c.settled {
			left = append(left, c)
		}
	}
	if err != nil && len(left) > 1 && domain.KindOf(err) != domain.Unavailable {
		// One that the database cannot take must not cost the others their answer.
		for i := range left {
			g.runBatch(ctx, left[i:i+1])
		}
		return
	}
	for _, c := range left {
		c.settle(c.result, err)
	}
}

// carryOutSafely keeps a panic from leaving a batch under way for ever, for which all who come later would wait.
func (g *gatherer[A, R]) carryOutSafely(ctx context.Context, batch []*call[A, R]) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic of type %T\n%s", reason, debug.Stack()) // the value itself could hold anything
		}
	}()
	return g.carryOut(ctx, batch)
}

func (g *gatherer[A, R]) count(done int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stats.Done, g.stats.Batches = g.stats.Done+int64(done), g.stats.Batches+1
}

// close waits until everything that waits is carried out. From now on do refuses.
func (g *gatherer[A, R]) close() {
	g.mu.Lock()
	g.closed = true
	g.mu.Unlock()
	g.batches.Wait()
}

func (g *gatherer[A, R]) statistics() GathererStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	stats := g.stats
	stats.Waiting = len(g.waiting)
	return stats
}
