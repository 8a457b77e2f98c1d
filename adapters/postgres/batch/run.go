package batch

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// runBatch runs a batch and completes every request in it. If the database rejects one request, the others must not
// fail. After an error other than Unavailable, runBatch therefore runs the uncompleted requests one by one.
func (b *Batcher[In, Out]) runBatch(ctx context.Context, batch []*Request[In, Out]) {
	err := b.runObserved(ctx, batch)
	if err == nil {
		b.countBatch(len(batch))
	}
	// Appending to uncompleted overwrites the array of batch, so the code below must not read batch.
	uncompleted := batch[:0]
	for _, request := range batch {
		if !request.completed {
			uncompleted = append(uncompleted, request)
		}
	}
	if err != nil && len(uncompleted) > 1 && domain.KindOf(err) != domain.Unavailable {
		for i := range uncompleted {
			b.runBatch(ctx, uncompleted[i:i+1])
		}
		return
	}
	for _, request := range uncompleted {
		request.Complete(request.output, err)
	}
}

// runObserved calls runRecovered, and lets the ObserveFunc, if there is one, observe the run.
func (b *Batcher[In, Out]) runObserved(ctx context.Context, batch []*Request[In, Out]) error {
	if b.observe == nil {
		return b.runRecovered(ctx, batch)
	}
	requests := make([]context.Context, len(batch))
	for i, request := range batch {
		requests[i] = request.ctx
	}
	ctx, end := b.observe(ctx, requests)
	err := b.runRecovered(ctx, batch)
	end(err)
	return err
}

// runRecovered turns a panic into an error, so the worker continues. The error names only the type of the panic value,
// because the value itself could contain a secret.
func (b *Batcher[In, Out]) runRecovered(ctx context.Context, batch []*Request[In, Out]) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic of type %T\n%s", reason, debug.Stack())
		}
	}()
	return b.run(ctx, batch)
}

// countBatch counts a batch that succeeded.
func (b *Batcher[In, Out]) countBatch(size int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stats.Done += int64(size)
	b.stats.Batches++
}

// scheduleStallCheck checks for stalled batches every stallAfter while requests wait. An idle batcher has no timer. The
// caller holds mu.
func (b *Batcher[In, Out]) scheduleStallCheck() {
	if !b.checking && len(b.waiting) > 0 {
		b.checking = true
		time.AfterFunc(stallAfter, b.replaceStalled)
	}
}

// replaceStalled marks workers whose batch has stalled, and starts other workers for the waiting requests. At any time,
// at most maxStalled workers are marked.
func (b *Batcher[In, Out]) replaceStalled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropCancelled()
	for _, w := range b.workers {
		if !w.stalled && b.stalled < maxStalled && time.Since(w.started) >= stallAfter {
			w.stalled = true
			b.stalled++
			b.active--
		}
	}
	for b.active < b.maxConcurrent {
		batch := b.takeBatch()
		if len(batch) == 0 {
			break
		}
		w := b.addWorker()
		go b.drain(w, batch...)
	}
	b.checking = false
	b.scheduleStallCheck()
}
