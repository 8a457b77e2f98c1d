package postgres

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// fairSlots bounds concurrent work on database connections, in total and for each origin (see ports.WithOrigin).
// Without a bound for each origin, a single origin could occupy all connections, because its transactions often wait
// for each other's locks, and reads of large values take long. fairSlots is safe for concurrent use.
type fairSlots struct {
	total     *semaphore.Weighted
	perOrigin int64

	mu      sync.Mutex // guards origins
	origins map[string]*originSlots
}

// originSlots are the slots of one origin. users is the number of units of work that hold a slot or wait for a slot.
type originSlots struct {
	slots *semaphore.Weighted
	users int
}

// newFairSlots creates slots. The argument total is their number; a number below 1 counts as 1. One origin can use at
// most three eighths of the slots, but always at least one slot.
func newFairSlots(total int64) *fairSlots {
	total = max(1, total)
	return &fairSlots{
		total:     semaphore.NewWeighted(total),
		perOrigin: max(1, total*3/8),
		origins:   make(map[string]*originSlots),
	}
}

// acquire first waits for one of the slots of the origin, and then for one of the slots that all origins share. Both
// kinds of slots are assigned in the order of arrival. If ctx ends during the wait, acquire returns the error of ctx.
// The empty origin needs only a shared slot.
func (f *fairSlots) acquire(ctx context.Context, origin string) (release func(), err error) {
	own := f.enter(origin)
	if err := own.acquire(ctx); err != nil {
		f.leave(origin, own)
		return nil, err
	}
	if err := f.total.Acquire(ctx, 1); err != nil {
		own.release()
		f.leave(origin, own)
		return nil, err
	}
	return func() {
		f.total.Release(1)
		own.release()
		f.leave(origin, own)
	}, nil
}

// enter returns the slots of an origin, or nil for the empty origin.
func (f *fairSlots) enter(origin string) *originSlots {
	if origin == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	own := f.origins[origin]
	if own == nil {
		own = &originSlots{slots: semaphore.NewWeighted(f.perOrigin)}
		f.origins[origin] = own
	}
	own.users++
	return own
}

// leave reverses enter. It removes an origin from the map when no unit of work of that origin runs or waits.
func (f *fairSlots) leave(origin string, own *originSlots) {
	if own == nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(f.origins, origin)
	}
}

func (s *originSlots) acquire(ctx context.Context) error {
	if s == nil {
		return nil
	}
	return s.slots.Acquire(ctx, 1)
}

func (s *originSlots) release() {
	if s != nil {
		s.slots.Release(1)
	}
}
