package postgres

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	usual = 100 * time.Millisecond
	stuck = 10 * time.Second
)

// recorder carries out batches of numbers, each in the usual time, and answers each number with its double.
type recorder struct {
	// slow is how many of the first batches are stuck.
	slow    int
	mu      sync.Mutex
	batches [][]int
	// refuse is what becomes of a batch, if not nil.
	refuse func(batch []int) error
}

func (r *recorder) carryOut(ctx context.Context, batch []*call[int, int]) error {
	asked := make([]int, len(batch))
	for i, c := range batch {
		asked[i] = c.asked
	}
	r.mu.Lock()
	r.batches = append(r.batches, asked)
	r.mu.Unlock()
	select {
	case <-time.After(r.takes()):
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.refuse != nil {
		if err := r.refuse(asked); err != nil {
			return err
		}
	}
	for _, c := range batch {
		c.settle(2*c.asked, nil)
	}
	return nil
}

// takes is how long the newest batch lasts.
func (r *recorder) takes() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.batches) <= r.slow {
		return stuck
	}
	return usual
}

func (r *recorder) gatherer(mostInBatch, mostAtOnce int) *gatherer[int, int] {
	return newGatherer(r.carryOut, mostInBatch, mostAtOnce, whileWanted)
}

// ask asks for all numbers up to count, one after the other, and waits until all are asked for. What it returns waits for
// the answers.
func ask(t *testing.T, g *gatherer[int, int], count int) func() []error {
	t.Helper()
	errs := make([]error, count)
	var group sync.WaitGroup
	for n := range count {
		group.Go(func() {
			got, err := g.do(t.Context(), n)
			if errs[n] = err; err == nil && got != 2*n {
				t.Errorf("%d was answered with %d", n, got)
			}
		})
		synctest.Wait()
	}
	return func() []error {
		group.Wait()
		return errs
	}
}

func TestWhatComesWhileOneIsUnderWayGathers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		g := r.gatherer(3, 1)
		begin := time.Now()
		for _, err := range ask(t, g, 8)() {
			require.NoError(t, err)
		}
		require.Equal(t, [][]int{{0}, {1, 2, 3}, {4, 5, 6}, {7}}, r.batches,
			"somebody alone waits for nobody, and a batch is bounded")
		require.Equal(t, 4*usual, time.Since(begin))
		synctest.Wait() // answers come before their batch is counted
		require.Equal(t, GathererStats{Done: 8, Batches: 4}, g.statistics())
	})
}

func TestSeveralBatchesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		g := r.gatherer(10, 2)
		begin := time.Now()
		ask(t, g, 6)()
		require.Equal(t, [][]int{{0}, {1}, {2, 3, 4, 5}}, r.batches)
		require.Equal(t, 2*usual, time.Since(begin))
		g.close()
	})
}

func TestWhatIsRefusedCostsNobodyElse(t *testing.T) {
	t.Parallel()
	bad := errors.New("there is a 3 in it")
	for name, refusal := range map[string]func() error{
		"an error": func() error { return bad },
		"a panic":  func() error { panic(bad) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := recorder{refuse: func(batch []int) error {
					if slices.Contains(batch, 3) {
						return refusal()
					}
					return nil
				}}
				g := r.gatherer(10, 1)
				for n, err := range ask(t, g, 6)() {
					require.Equal(t, n == 3, err != nil, "%d: %v", n, err)
				}
				require.Equal(t, [][]int{{0}, {1, 2, 3, 4, 5}, {1}, {2}, {3}, {4}, {5}}, r.batches)
				_, err := g.do(t.Context(), 7)
				require.NoError(t, err, "others may go on")
			})
		})
	}
}

func TestAnOutageIsToldToAllAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := recorder{refuse: func([]int) error { return domain.ErrBusy }}
		for _, err := range ask(t, r.gatherer(10, 1), 6)() {
			require.ErrorIs(t, err, domain.Unavailable)
		}
		require.Len(t, r.batches, 2, "nobody is tried alone")
	})
}

// TestARequestThatEnds: one is under way when its request ends, and three wait, of which the last is still wanted.
func TestARequestThatEnds(t *testing.T) {
	t.Parallel()
	for promise, want := range map[promise]struct {
		batches [][]int
		done    int64
	}{
		whileWanted: {[][]int{{0}, {3}}, 1},
		onceBegun:   {[][]int{{0}, {3}}, 2},
		inAnyCase:   {[][]int{{0}, {1, 2, 3}}, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			var r recorder
			g := r.gatherer(10, 1)
			g.promise = promise
			short, cancel := context.WithTimeout(t.Context(), usual/2)
			defer cancel()
			var group sync.WaitGroup
			begin := time.Now()
			for n, ctx := range []context.Context{short, short, short, t.Context()} {
				group.Go(func() {
					_, err := g.do(ctx, n)
					switch {
					case n == 3:
						if err != nil {
							t.Errorf("the last: %v", err)
						}
					case time.Since(begin) != usual/2:
						t.Errorf("%d was waited for", n)
					case !errors.Is(err, errRequestEnded) && !errors.Is(err, context.DeadlineExceeded):
						t.Errorf("%d: %v", n, err)
					}
				})
				synctest.Wait()
			}
			group.Wait()
			g.close()
			require.Equal(t, want.batches, r.batches)
			require.Equal(t, want.done, g.statistics().Done)
		})
	}
}

// TestABatchThatIsStuckHoldsNobodyUp: after a while the others go past it, and past a few more like it.
func TestABatchThatIsStuckHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	for slow, first := range map[int]time.Duration{1: 2 * overdueAfter, mostOverdue: 2 * mostOverdue * overdueAfter,
		mostOverdue + 1: stuck + 2*overdueAfter} {
		synctest.Test(t, func(t *testing.T) {
			r := recorder{slow: slow}
			g := r.gatherer(1, 1)
			wait := ask(t, g, 20)
			begin := time.Now()
			_, err := g.do(t.Context(), 20)
			require.NoError(t, err)
			// 20 come after those that are stuck.
			require.LessOrEqual(t, time.Since(begin), first+20*usual)
			wait()
			require.Less(t, time.Since(begin), stuck+first+20*usual)
			g.close()
			require.Zero(t, g.underWay)
			require.Zero(t, g.overdue)
			require.Equal(t, int64(21), g.statistics().Done)
			// From here on they go one by one again.
			r.batches, r.slow = nil, 0
			begin = time.Now()
			g.closed = false
			ask(t, g, 4)()
			require.Equal(t, 4*usual, time.Since(begin))
		})
	}
}

func TestTooManyWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		g := r.gatherer(mostWaiting, 1)
		refused := 0
		for _, err := range ask(t, g, mostWaiting+3)() {
			if err != nil {
				require.ErrorIs(t, err, domain.Unavailable)
				refused++
			}
		}
		require.Equal(t, 2, refused, "one is under way")
		synctest.Wait()
		require.Equal(t, GathererStats{Done: mostWaiting + 1, Batches: 2, Refused: 2}, g.statistics())
	})
}

func TestAClosedGathererHasEndedWhatItTook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		g := r.gatherer(2, 1)
		wait := ask(t, g, 4)
		g.close()
		require.Equal(t, int64(4), g.statistics().Done)
		for _, err := range wait() {
			require.NoError(t, err)
		}
		_, err := g.do(t.Context(), 5)
		require.ErrorIs(t, err, domain.Unavailable)
	})
}
