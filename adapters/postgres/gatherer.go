package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// gatherer carries out in batches what concurrent requests ask for: while one batch is under way, what else comes gathers
// for the next. The more there is to do, the less a single request costs; somebody alone waits for nobody. It has no
// goroutine while there is nothing to do.
type gatherer[A, R any] struct {
	carryOut                carryOut[A, R]
	mostInBatch, mostAtOnce int
	promise                 promise

	mu       sync.Mutex
	waiting  []*call[A, R]
	lanes    []*lane
	underWay int // batches, without those that are overdue
	overdue  int
	watched  bool // for what is overdue
	closed   bool
	stats    GathererStats
	running  sync.WaitGroup
}

// lane is where one batch runs after the other.
type lane struct {
	begun   time.Time // the batch of now
	overdue bool
}

// promise is what a gatherer makes of a request that ends before it was carried out.
type promise int

const (
	// whileWanted: what nobody waits for any more is not carried out. A lone request runs on its caller's goroutine,
	// under the caller's ctx.
	whileWanted promise = iota
	// onceBegun: it is not begun, and what was begun is carried out to its end, by a goroutine of its own.
	onceBegun
	// inAnyCase: it is carried out all the same.
	inAnyCase
)

// carryOut does what a batch asks for and settles its calls. If it returns an error, the calls that it left unsettled are
// tried once more, each alone; if the error is Unavailable, they all get it, as they must where something may have been
// kept. It settles on its own goroutine, does not keep batch, and ends by itself. ctx is that of a lone request where only
// whileWanted is promised, and nobody's otherwise.
type carryOut[A, R any] func(ctx context.Context, batch []*call[A, R]) error

// newGatherer makes one with at most so many calls in a batch and so many batches at once.
func newGatherer[A, R any](carryOut carryOut[A, R], mostInBatch, mostAtOnce int, promise promise) *gatherer[A, R] {
	return &gatherer[A, R]{
		carryOut:    carryOut,
		mostInBatch: mostInBatch,
		mostAtOnce:  mostAtOnce,
		promise:     promise,
	}
}

const (
	// mostWaiting bounds how many requests may wait.
	mostWaiting = 4096
	// overdueAfter is when those who wait look for batches that may be stuck, in a connection that is dead without saying so
	// or in a lock, and no longer wait for them. mostOverdue bounds how many are not waited for, and take connections from
	// everybody.
	overdueAfter = 250 * time.Millisecond
	mostOverdue  = 2
)

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
	ctx     context.Context
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
// first, or what carryOut makes of that where ctx is its own.
func (g *gatherer[A, R]) do(ctx context.Context, asked A) (result R, err error) {
	if ended := ctx.Err(); ended != nil && g.promise != inAnyCase {
		return result, fmt.Errorf("%w: %w", errRequestEnded, ended)
	}
	c := &call[A, R]{ctx: ctx, asked: asked, done: make(chan struct{})}
	on, err := g.enter(c)
	switch {
	case err != nil:
		return result, err
	case on != nil && g.promise == whileWanted:
		g.runAlone(ctx, on, c)
		return c.result, c.err
	case on != nil:
		go g.runUntilEmpty(on, c)
	}
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		return result, fmt.Errorf("%w: %w", errRequestEnded, ctx.Err())
	}
}

// enter returns a lane where the request has to be run at once, or nil where it waits.
func (g *gatherer[A, R]) enter(c *call[A, R]) (*lane, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed || len(g.waiting) >= mostWaiting:
		g.stats.Refused++
		return nil, domain.ErrBusy.Because(errQueueFull)
	case g.underWay < g.mostAtOnce:
		return g.openLane(), nil
	}
	g.waiting = append(g.waiting, c)
	g.watch()
	return nil, nil
}

func (g *gatherer[A, R]) openLane() *lane {
	on := &lane{begun: time.Now()}
	g.lanes = append(g.lanes, on)
	g.underWay++
	g.running.Add(1)
	return on
}

// runAlone leaves what has gathered meanwhile to a goroutine: the caller has its answer.
func (g *gatherer[A, R]) runAlone(ctx context.Context, on *lane, c *call[A, R]) {
	g.runBatch(ctx, []*call[A, R]{c})
	if batch := g.nextBatch(on); len(batch) > 0 {
		go g.runUntilEmpty(on, batch...)
	}
}

// runUntilEmpty runs batches until nothing waits. They are of many requests, and end with none of them.
func (g *gatherer[A, R]) runUntilEmpty(on *lane, batch ...*call[A, R]) {
	for ; len(batch) > 0; batch = g.nextBatch(on) {
		g.runBatch(context.Background(), batch)
	}
}

// nextBatch returns what waits already, and does not wait for more. Without any the lane ends, and likewise one that was
// overdue where others have taken its place.
func (g *gatherer[A, R]) nextBatch(on *lane) []*call[A, R] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if on.overdue {
		on.overdue = false
		g.overdue--
		g.underWay++
	}
	var batch []*call[A, R]
	if g.underWay <= g.mostAtOnce {
		batch = g.takeWaiting()
	}
	if on.begun = time.Now(); len(batch) == 0 {
		g.lanes = slices.DeleteFunc(g.lanes, func(each *lane) bool { return each == on })
		g.underWay--
		g.running.Done()
	}
	return batch
}

// takeWaiting takes a batch out of those who wait.
func (g *gatherer[A, R]) takeWaiting() []*call[A, R] {
	g.dropUnwanted()
	size := min(len(g.waiting), g.mostInBatch)
	batch := slices.Clone(g.waiting[:size])
	g.waiting = slices.Delete(g.waiting, 0, size)
	return batch
}

// dropUnwanted keeps nobody waiting whose request has ended.
func (g *gatherer[A, R]) dropUnwanted() {
	if g.promise == inAnyCase {
		return
	}
	g.waiting = slices.DeleteFunc(g.waiting, func(c *call[A, R]) bool {
		ended := c.ctx.Err()
		if ended != nil {
			c.settle(c.result, fmt.Errorf("%w: %w", errRequestEnded, ended))
		}
		return ended != nil
	})
}

// watch looks after a while, as long as anybody waits, whether it is for something that is overdue.
func (g *gatherer[A, R]) watch() {
	if !g.watched && len(g.waiting) > 0 {
		g.watched = true
		time.AfterFunc(overdueAfter, g.passOver)
	}
}

// passOver lets other batches begin in place of those that are overdue.
func (g *gatherer[A, R]) passOver() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropUnwanted()
	for _, on := range g.lanes {
		if !on.overdue && g.overdue < mostOverdue && time.Since(on.begun) >= overdueAfter {
			on.overdue = true
			g.overdue++
			g.underWay--
		}
	}
	for g.underWay < g.mostAtOnce {
		batch := g.takeWaiting()
		if len(batch) == 0 {
			break
		}
		on := g.openLane()
		go g.runUntilEmpty(on, batch...)
	}
	g.watched = false
	g.watch()
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

// carryOutSafely keeps a panic from leaving a batch under way for ever.
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
	g.running.Wait()
}

func (g *gatherer[A, R]) statistics() GathererStats {
	g.mu.Lock()
	defer g.mu.Unlock()
	stats := g.stats
	stats.Waiting = len(g.waiting)
	return stats
}
