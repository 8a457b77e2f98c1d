package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"

	"github.com/lockbox-go/lockbox/domain"
)

// gatherer carries out together what concurrent requests ask for: while some of it is under way, what else comes gathers
// for the next turn. The more there is to do, the less a single request costs; somebody alone waits for nobody. It has no
// goroutine while there is nothing to do.
type gatherer[A, R any] struct {
	gathererConfig[A, R]

	mu      sync.Mutex
	waiting []*call[A, R]
	running int // turns
	closed  bool
	stats   GathererStats
	turns   sync.WaitGroup
}

type gathererConfig[A, R any] struct {
	// carryOut does what the calls of a batch ask for and settles them. Those that it leaves get the error that it
	// returns; unless the database cannot be had, each is tried alone first. ctx is of a request that is alone, and
	// otherwise of nobody's.
	carryOut func(ctx context.Context, batch []*call[A, R]) error
	// mostInBatch bounds a batch, mostAtOnce how many are under way.
	mostInBatch, mostAtOnce int
	// apart: what was begun is ended, whatever becomes of the request; also somebody alone only waits for it then.
	apart bool
}

// mostWaiting bounds how many requests may wait for their turn.
const mostWaiting = 4096

// GathererStats says how much was done together so far, and what waits.
type GathererStats struct {
	Waiting int
	// Done is how many requests were carried out, in so many Batches; Refused are those that found too many before them.
	Done, Batches, Refused int64
}

var (
	errQueueFull = errors.New("too many requests wait for the database already, or it is closed")
	// errRequestEnded: what was asked for may be carried out all the same.
	errRequestEnded = errors.New("the request ended before its turn did")
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
	case free && g.apart:
		go g.takeTurns(c)
	case free:
		g.takeTurn(ctx, c)
		return c.result, c.err
	}
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		return result, fmt.Errorf("%w: %w", errRequestEnded, ctx.Err())
	}
}

// enter reports whether a turn is free, which the caller then has to take; otherwise the request waits for one.
func (g *gatherer[A, R]) enter(c *call[A, R]) (free bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed || len(g.waiting) >= mostWaiting:
		g.stats.Refused++
		return false, domain.ErrBusy.Because(errQueueFull)
	case g.running < g.mostAtOnce:
		g.running++
		g.turns.Add(1)
		return true, nil
	}
	g.waiting = append(g.waiting, c)
	return false, nil
}

// takeTurn takes one, and leaves what has gathered meanwhile to somebody who has the time.
func (g *gatherer[A, R]) takeTurn(ctx context.Context, alone *call[A, R]) {
	g.turn(ctx, []*call[A, R]{alone})
	if batch := g.take(); len(batch) > 0 {
		go g.takeTurns(batch...)
	}
}

// takeTurns takes turns until nothing waits. They are of many requests, and end with none of them.
func (g *gatherer[A, R]) takeTurns(batch ...*call[A, R]) {
	for ; len(batch) > 0; batch = g.take() {
		g.turn(context.Background(), batch)
	}
}

// take returns what waits already, up to a batch, and does not wait for more. Without any, the turn is over.
func (g *gatherer[A, R]) take() []*call[A, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	size := min(len(g.waiting), g.mostInBatch)
	if size == 0 {
		g.running--
		g.turns.Done()
		return nil
	}
	batch := append(make([]*call[A, R], 0, size), g.waiting[:size]...)
	left := copy(g.waiting, g.waiting[size:])
	clear(g.waiting[left:])
	g.waiting = g.waiting[:left]
	return batch
}

func (g *gatherer[A, R]) turn(ctx context.Context, batch []*call[A, R]) {
	err := g.tryBatch(ctx, batch)
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
			g.turn(ctx, left[i:i+1])
		}
		return
	}
	for _, c := range left {
		c.settle(c.result, err)
	}
}

// tryBatch keeps a panic from taking the turn along, for which everybody would wait for ever.
func (g *gatherer[A, R]) tryBatch(ctx context.Context, batch []*call[A, R]) (err error) {
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
	g.turns.Wait()
}

func (g *gatherer[A, R]) statistics() GathererStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	stats := g.stats
	stats.Waiting = len(g.waiting)
	return stats
}
