package batch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// maxWaiting is the largest number of requests in the queue of a batcher.
	maxWaiting = 4096
	// stallAfter is how long a batch may run before it counts as stalled. A stalled batch may be waiting for a lock, or
	// for an answer on a dead connection. After a batch has stalled, another batch runs the requests in the queue.
	stallAfter = 250 * time.Millisecond
	// maxStalled is how many stalled batches can run in addition to maxConcurrent other batches. Each batch occupies a
	// database connection.
	maxStalled = 2
)

// CancelPolicy decides what happens to a request whose context ends before its batch completes.
type CancelPolicy int

const (
	// DropOnCancel drops the request if it is still in the queue. A lone request runs in a batch of its own, under the
	// caller's context. If this context ends while the request runs, the request is cancelled in the database.
	DropOnCancel CancelPolicy = iota
	// FinishIfStarted drops the request if it is still in the queue. A batch that has started runs to its end.
	FinishIfStarted
	// AlwaysFinish runs the request even after its caller has stopped waiting.
	AlwaysFinish
)

// RunFunc runs one batch and completes its requests.
//
// RunFunc must return an error of kind domain.Unavailable if a part of the batch may have been stored. The batcher then
// returns this error for every request that RunFunc has not completed. After any other error, the batcher runs each of
// these requests again in a batch of one. One bad request therefore does not fail the others.
//
// RunFunc must call Complete on its own goroutine, must not retain batch, and must set its own deadline. For a lone
// request under DropOnCancel, the argument ctx is the context of the request's caller. For any other batch, it is the
// background context.
type RunFunc[In, Out any] func(ctx context.Context, batch []*Request[In, Out]) error

// ObserveFunc is called before a run of a batch, for example to start a span. The argument requests holds the context
// of each request in the batch. ObserveFunc returns the context for the run, and a function. The batcher calls this
// function after the run, with the error that RunFunc has returned.
type ObserveFunc func(ctx context.Context, requests []context.Context) (context.Context, func(error))

// Config sets the limits of a Batcher.
type Config struct {
	// MaxBatch is the largest number of requests in one batch.
	MaxBatch int
	// MaxConcurrent is the largest number of batches that run at the same time. Stalled batches do not count.
	MaxConcurrent int
	OnCancel      CancelPolicy
	// Observe is called before each run of a batch. It may be nil.
	Observe ObserveFunc
}

// Stats are the counts of a Batcher since it was created.
type Stats struct {
	// Waiting is the current length of the queue.
	Waiting int
	// Done counts the requests whose batch succeeded. Batches counts the successful batches. Refused counts the
	// requests that were refused because the queue was full or the batcher was closed.
	Done, Batches, Refused int64
}

var (
	// ErrCancelled means that the context of a request ended before its batch completed. Under a policy other than
	// DropOnCancel, the request may still take effect.
	ErrCancelled = errors.New("the request was cancelled before its batch completed")

	errQueueFull = errors.New("the batch queue is full or closed")
)

// Batcher runs requests in batches. It is safe for concurrent use and has no goroutine while it is
// idle.
type Batcher[In, Out any] struct {
	run                     RunFunc[In, Out]
	maxBatch, maxConcurrent int
	onCancel                CancelPolicy
	observe                 ObserveFunc

	mu      sync.Mutex // guards the fields below
	waiting []*Request[In, Out]
	workers []*worker
	active  int // workers that are not stalled
	stalled int
	// checking is true while a stall check is scheduled.
	checking bool
	closed   bool
	stats    Stats
	running  sync.WaitGroup // one per worker
}

// worker runs batches one after another until the queue is empty.
type worker struct {
	started time.Time // when the current batch started
	stalled bool
}

// New returns a batcher that runs its batches with the function run.
func New[In, Out any](run RunFunc[In, Out], config Config) *Batcher[In, Out] {
	return &Batcher[In, Out]{
		run:           run,
		maxBatch:      config.MaxBatch,
		maxConcurrent: config.MaxConcurrent,
		onCancel:      config.OnCancel,
		observe:       config.Observe,
	}
}

// Do runs one request and returns its outcome. It returns domain.ErrBusy when the queue is full or the batcher is
// closed, and ErrCancelled when ctx ends before the batch of the request completes. A lone request under DropOnCancel
// is an exception: if ctx ends while it runs, Do returns the error of the RunFunc.
func (b *Batcher[In, Out]) Do(ctx context.Context, input In) (output Out, err error) {
	if ended := ctx.Err(); ended != nil && b.onCancel != AlwaysFinish {
		return output, cancelled(ended)
	}
	request := NewRequest[In, Out](ctx, input)
	w, err := b.enqueue(request)
	switch {
	case err != nil:
		return output, err
	case w != nil && b.onCancel == DropOnCancel:
		b.runAlone(ctx, w, request)
		return request.output, request.err
	case w != nil:
		go b.drain(w, request)
	}
	select {
	case <-request.done:
		return request.output, request.err
	case <-ctx.Done():
		return output, cancelled(ctx.Err())
	}
}

func cancelled(cause error) error { return fmt.Errorf("%w: %w", ErrCancelled, cause) }

// enqueue returns a new worker for the request if the request can start immediately. Otherwise it queues the request
// and returns nil.
func (b *Batcher[In, Out]) enqueue(request *Request[In, Out]) (*worker, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed || len(b.waiting) >= maxWaiting:
		b.stats.Refused++
		return nil, domain.ErrBusy.Because(errQueueFull)
	case b.active < b.maxConcurrent:
		return b.addWorker(), nil
	}
	b.waiting = append(b.waiting, request)
	b.scheduleStallCheck()
	return nil, nil
}

// addWorker registers a new worker and returns it. The caller must hold mu.
func (b *Batcher[In, Out]) addWorker() *worker {
	w := &worker{started: time.Now()}
	b.workers = append(b.workers, w)
	b.active++
	b.running.Add(1)
	return w
}

// runAlone runs a request on its caller's goroutine. Afterwards, a new goroutine runs the requests that arrived while
// this request was running. The caller does not wait for them.
func (b *Batcher[In, Out]) runAlone(ctx context.Context, w *worker, request *Request[In, Out]) {
	b.runBatch(ctx, []*Request[In, Out]{request})
	if batch := b.nextBatch(w); len(batch) > 0 {
		go b.drain(w, batch...)
	}
}

// drain runs the given batch and then the queued requests, until the queue is empty. It uses the background context,
// because a batch belongs to several requests, and no single request may cancel it.
func (b *Batcher[In, Out]) drain(w *worker, batch ...*Request[In, Out]) {
	for ; len(batch) > 0; batch = b.nextBatch(w) {
		b.runBatch(context.Background(), batch)
	}
}

// nextBatch takes the next batch from the queue without waiting for more requests. In two cases, it returns an empty
// batch and the worker w ends: if the queue is empty, and if w had stalled and maxConcurrent other workers are running.
func (b *Batcher[In, Out]) nextBatch(w *worker) []*Request[In, Out] {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.stalled {
		w.stalled = false
		b.stalled--
		b.active++
	}
	var batch []*Request[In, Out]
	if b.active <= b.maxConcurrent {
		batch = b.takeBatch()
	}
	if w.started = time.Now(); len(batch) == 0 {
		b.workers = slices.DeleteFunc(b.workers, func(each *worker) bool { return each == w })
		b.active--
		b.running.Done()
	}
	return batch
}

// takeBatch removes up to maxBatch requests from the queue and returns them. The caller must hold mu.
func (b *Batcher[In, Out]) takeBatch() []*Request[In, Out] {
	b.dropCancelled()
	size := min(len(b.waiting), b.maxBatch)
	batch := slices.Clone(b.waiting[:size])
	b.waiting = slices.Delete(b.waiting, 0, size)
	return batch
}

// dropCancelled removes queued requests whose context has ended. Under AlwaysFinish it removes nothing. The caller must
// hold mu.
func (b *Batcher[In, Out]) dropCancelled() {
	if b.onCancel == AlwaysFinish {
		return
	}
	b.waiting = slices.DeleteFunc(b.waiting, func(request *Request[In, Out]) bool {
		ended := request.ctx.Err()
		if ended != nil {
			request.Complete(request.output, cancelled(ended))
		}
		return ended != nil
	})
}

// Close refuses new requests and returns when all queued requests have run. It may be called more than once.
func (b *Batcher[In, Out]) Close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.running.Wait()
}

// Stats returns the current counts.
func (b *Batcher[In, Out]) Stats() Stats {
	b.mu.Lock()
	defer b.mu.Unlock()
	stats := b.stats
	stats.Waiting = len(b.waiting)
	return stats
}
