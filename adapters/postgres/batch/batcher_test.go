package batch

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
	usual    = 100 * time.Millisecond
	slowTime = 10 * time.Second
)

// recorder runs batches. The input of a request is a number. The result of the request is twice this number.
type recorder struct {
	// slow is the number of batches that stall. They are the first batches.
	slow    int
	mu      sync.Mutex
	batches [][]int
	// refuse returns the error of a batch. If refuse is nil, all batches succeed.
	refuse func(batch []int) error
}

func (r *recorder) run(ctx context.Context, batch []*Request[int, int]) error {
	numbers := make([]int, len(batch))
	for i, request := range batch {
		numbers[i] = request.Input
	}
	r.mu.Lock()
	r.batches = append(r.batches, numbers)
	r.mu.Unlock()
	select {
	case <-time.After(r.takes()):
	case <-ctx.Done():
		return ctx.Err()
	}
	if r.refuse != nil {
		if err := r.refuse(numbers); err != nil {
			return err
		}
	}
	for _, request := range batch {
		request.Complete(2*request.Input, nil)
	}
	return nil
}

// takes returns the duration of the newest batch.
func (r *recorder) takes() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.batches) <= r.slow {
		return slowTime
	}
	return usual
}

func (r *recorder) batcher(maxBatch, maxConcurrent int) *Batcher[int, int] {
	return New(r.run, Config{MaxBatch: maxBatch, MaxConcurrent: maxConcurrent})
}

// submit submits the numbers from 0 to count-1, one after another. The returned function waits for the results.
func submit(t *testing.T, b *Batcher[int, int], count int) func() []error {
	t.Helper()
	errs := make([]error, count)
	var group sync.WaitGroup
	for n := range count {
		group.Go(func() {
			got, err := b.Do(t.Context(), n)
			if errs[n] = err; err == nil && got != 2*n {
				t.Errorf("the result of %d is %d", n, got)
			}
		})
		synctest.Wait()
	}
	return func() []error {
		group.Wait()
		return errs
	}
}

func TestRequestsThatArriveDuringABatchFormTheNextOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		b := r.batcher(3, 1)
		begin := time.Now()
		for _, err := range submit(t, b, 8)() {
			require.NoError(t, err)
		}
		require.Equal(t, [][]int{{0}, {1, 2, 3}, {4, 5, 6}, {7}}, r.batches,
			"a lone request runs immediately, and the size of a batch is bounded")
		require.Equal(t, 4*usual, time.Since(begin))
		synctest.Wait() // requests complete before their batch is counted
		require.Equal(t, Stats{Done: 8, Batches: 4}, b.Stats())
	})
}

func TestSeveralBatchesRunConcurrently(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		b := r.batcher(10, 2)
		begin := time.Now()
		submit(t, b, 6)()
		require.Equal(t, [][]int{{0}, {1}, {2, 3, 4, 5}}, r.batches)
		require.Equal(t, 2*usual, time.Since(begin))
		b.Close()
	})
}

func TestAFailedRequestDoesNotFailTheOthers(t *testing.T) {
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
				b := r.batcher(10, 1)
				for n, err := range submit(t, b, 6)() {
					require.Equal(t, n == 3, err != nil, "%d: %v", n, err)
				}
				require.Equal(t, [][]int{{0}, {1, 2, 3, 4, 5}, {1}, {2}, {3}, {4}, {5}}, r.batches)
				_, err := b.Do(t.Context(), 7)
				require.NoError(t, err, "the batcher still works")
			})
		})
	}
}

func TestAnOutageFailsTheWholeBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := recorder{refuse: func([]int) error { return domain.ErrBusy }}
		for _, err := range submit(t, r.batcher(10, 1), 6)() {
			require.ErrorIs(t, err, domain.Unavailable)
		}
		require.Len(t, r.batches, 2, "no request is run again")
	})
}

// TestACancelledRequest cancels one running request and two of three waiting requests.
func TestACancelledRequest(t *testing.T) {
	t.Parallel()
	for policy, want := range map[CancelPolicy]struct {
		batches [][]int
		done    int64
	}{
		DropOnCancel:    {[][]int{{0}, {3}}, 1},
		FinishIfStarted: {[][]int{{0}, {3}}, 2},
		AlwaysFinish:    {[][]int{{0}, {1, 2, 3}}, 4},
	} {
		synctest.Test(t, func(t *testing.T) {
			var r recorder
			b := r.batcher(10, 1)
			b.onCancel = policy
			short, cancel := context.WithTimeout(t.Context(), usual/2)
			defer cancel()
			var group sync.WaitGroup
			begin := time.Now()
			for n, ctx := range []context.Context{short, short, short, t.Context()} {
				group.Go(func() {
					_, err := b.Do(ctx, n)
					switch {
					case n == 3:
						if err != nil {
							t.Errorf("the last: %v", err)
						}
					case time.Since(begin) != usual/2:
						t.Errorf("%d waited after its context had ended", n)
					case !errors.Is(err, ErrCancelled) && !errors.Is(err, context.DeadlineExceeded):
						t.Errorf("%d: %v", n, err)
					}
				})
				synctest.Wait()
			}
			group.Wait()
			b.Close()
			require.Equal(t, want.batches, r.batches)
			require.Equal(t, want.done, b.Stats().Done)
		})
	}
}

// TestAStalledBatchDoesNotBlockTheOthers verifies that other batches start when a batch runs longer than stallAfter. If
// more than maxStalled batches stall, the other batches must wait.
func TestAStalledBatchDoesNotBlockTheOthers(t *testing.T) {
	t.Parallel()
	for slow, first := range map[int]time.Duration{1: 2 * stallAfter, maxStalled: 2 * maxStalled * stallAfter,
		maxStalled + 1: slowTime + 2*stallAfter} {
		synctest.Test(t, func(t *testing.T) {
			r := recorder{slow: slow}
			b := r.batcher(1, 1)
			wait := submit(t, b, 20)
			begin := time.Now()
			_, err := b.Do(t.Context(), 20)
			require.NoError(t, err)
			// The stalled batches start first, and 20 other batches follow.
			require.LessOrEqual(t, time.Since(begin), first+20*usual)
			wait()
			require.Less(t, time.Since(begin), slowTime+first+20*usual)
			b.Close()
			require.Zero(t, b.active)
			require.Zero(t, b.stalled)
			require.Equal(t, int64(21), b.Stats().Done)
			// When no batch is stalled any more, batches run one at a time.
			r.batches, r.slow = nil, 0
			begin = time.Now()
			b.closed = false
			submit(t, b, 4)()
			require.Equal(t, 4*usual, time.Since(begin))
		})
	}
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		b := r.batcher(maxWaiting, 1)
		refused := 0
		for _, err := range submit(t, b, maxWaiting+3)() {
			if err != nil {
				require.ErrorIs(t, err, domain.Unavailable)
				refused++
			}
		}
		require.Equal(t, 2, refused, "one request is running")
		synctest.Wait()
		require.Equal(t, Stats{Done: maxWaiting + 1, Batches: 2, Refused: 2}, b.Stats())
	})
}

func TestCloseRunsQueuedRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		b := r.batcher(2, 1)
		wait := submit(t, b, 4)
		b.Close()
		require.Equal(t, int64(4), b.Stats().Done)
		for _, err := range wait() {
			require.NoError(t, err)
		}
		_, err := b.Do(t.Context(), 5)
		require.ErrorIs(t, err, domain.Unavailable)
	})
}
