package storage

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/ports"
)

// stream starts the audit stream: it claims the stream's lease and returns the identifier of the lease's holder.
func (f *fixture) stream() [16]byte {
	f.Helper()
	holder := f.id()
	claimed, err := f.Queue.Claim(f.Context(), holder, time.Minute)
	require.NoError(f, err)
	require.True(f, claimed)
	return holder
}

// next removes the next batch of events from the queue, and returns the target of each event.
func (f *fixture) next(limit int) []string {
	f.Helper()
	batch, err := f.Queue.Next(f.Context(), limit)
	require.NoError(f, err)
	require.NoError(f, f.Queue.Delivered(f.Context(), batch))
	targets := []string{}
	for _, event := range batch.Events {
		targets = append(targets, event.Target)
	}
	return targets
}

// append stores one event for each target, all in the same unit of work.
func (f *fixture) append(targets ...string) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) error {
		for _, target := range targets {
			if err := repos.Events.Append(ctx, f.event(target)); err != nil {
				return err
			}
		}
		return nil
	})
}

func eventQueueLease(f *fixture) {
	first, second := f.id(), f.id()
	claim := func(holder [16]byte, lease time.Duration) bool {
		f.Helper()
		claimed, err := f.Queue.Claim(f.Context(), holder, lease)
		require.NoError(f, err)
		return claimed
	}
	require.True(f, claim(first, time.Minute))
	require.False(f, claim(second, time.Minute), "the lease has not ended")
	require.True(f, claim(first, time.Minute), "a holder extends its lease")
	require.NoError(f, f.Queue.Release(f.Context(), second))
	require.False(f, claim(second, time.Minute), "another server's Release has no effect")
	require.NoError(f, f.Queue.Release(f.Context(), first))
	require.True(f, claim(second, time.Millisecond))
	time.Sleep(5 * time.Millisecond) // longer than the lease
	require.True(f, claim(first, time.Minute), "a lease ends by itself")

	// If several servers claim the stream at the same time, exactly one gets the lease.
	require.NoError(f, f.Queue.Release(f.Context(), first))
	var group sync.WaitGroup
	results := make([]bool, 8)
	for i := range results {
		holder := f.id()
		group.Go(func() {
			var err error
			if results[i], err = f.Queue.Claim(f.Context(), holder, time.Minute); err != nil {
				f.Errorf("claim: %v", err)
			}
		})
	}
	group.Wait()
	require.Len(f, slices.DeleteFunc(results, func(claimed bool) bool { return !claimed }), 1)
}

// eventQueueEveryEvent uses every method that stores events. The queue must contain all these events.
func eventQueueEveryEvent(f *fixture) {
	o := f.office()
	f.write(o, "entry", `"value"`, 0)
	require.Empty(f, f.next(100), "there is no stream yet")
	f.stream()
	require.Empty(f, f.next(100), "a new stream contains no earlier events")
	age, err := f.Queue.Age(f.Context())
	require.NoError(f, err)
	require.Zero(f, age)

	f.append("append")
	require.NoError(f, f.Read().Events.Append(f.Context(), f.event("append outside")))
	require.NoError(f, f.Store.Events.Write(f.Context(), f.event("writer")))
	f.write(o, "entry", `"locking path"`, 0) // with the target "write"
	snapshot, err := f.LookUpForWrite(f.Context(), o.credentials[0], o.box.Name, "entry")
	require.NoError(f, err)
	stored, err := f.WriteIfUnchanged(f.Context(), ports.ConditionalWrite{
		Snapshot: snapshot,
		Version:  f.newVersion(snapshot.Entry.Next(f.now), o.owner.ID, `"batch"`),
		At:       f.now,
		Event:    f.event("batch"),
	})
	require.NoError(f, err)
	require.True(f, stored)
	require.Error(f, f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Events.Append(ctx, f.event("rolled back")))
		return context.Canceled
	}))

	age, err = f.Queue.Age(f.Context())
	require.NoError(f, err)
	require.Positive(f, age)
	batch, err := f.Queue.Next(f.Context(), 100)
	require.NoError(f, err)
	again, err := f.Queue.Next(f.Context(), 100)
	require.NoError(f, err)
	require.Equal(f, batch.Events, again.Events, "events stay in the queue until they are delivered")
	require.Equal(f, []string{"append", "append outside", "writer", "write", "batch"}, f.next(100))
	require.Empty(f, f.next(100))
	require.Subset(f, f.targets(), []string{"append", "writer", "batch"}, "the audit log keeps delivered events")
}

// eventQueueOrder verifies that the queue delivers events in the order of their commits. Each identifier begins with
// the time at which a server created the event. If the clocks of two servers differ, the order of the identifiers can
// therefore differ from the order of the commits.
func eventQueueOrder(f *fixture) {
	f.stream()
	want := []string{}
	late := f.event("late")
	for i := range 20 {
		f.append(fmt.Sprint(i))
		want = append(want, fmt.Sprint(i))
	}
	require.NoError(f, f.Store.Events.Write(f.Context(), late))
	require.Equal(f, append(want, "late"), f.next(100))
}

// eventQueueOpenTransactions stores an event in a transaction that stays open. Meanwhile, other transactions commit and
// the queue is delivered. Every event must be delivered once. If two transactions do not overlap, the events of the
// earlier transaction must be delivered first.
func eventQueueOpenTransactions(f *fixture) {
	f.stream()
	stored, commit := make(chan struct{}), make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		if err := f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
			err := repos.Events.Append(ctx, f.event("long"))
			if err == nil {
				_, err = repos.Events.List(ctx, ports.EventFilter{Limit: 1}) // sends the event
			}
			close(stored)
			<-commit
			return err
		}); err != nil {
			f.Errorf("commit: %v", err)
		}
	})
	<-stored
	f.append("short")
	require.Equal(f, []string{"short"}, f.next(10),
		"an open transaction does not delay the events of other transactions")
	require.Empty(f, f.next(10))
	close(commit)
	group.Wait()
	require.Equal(f, []string{"long"}, f.next(10),
		"an event is found although later events have already been delivered")
	f.concurrentWriters()
}

// concurrentWriters runs several writers, which store numbered events while the queue is delivered. Each event must be
// delivered once, and the events of each writer in order.
func (f *fixture) concurrentWriters() {
	const writers, each = 6, 25
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for n := range each {
				target := fmt.Sprintf("%d-%d", w, n)
				event := f.event(target)
				err := f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) error {
					if err := repos.Events.Append(ctx, event); err != nil {
						return err
					}
					_, err := repos.Events.List(ctx, ports.EventFilter{Limit: 1})
					time.Sleep(rand.N(4 * time.Millisecond)) // spreads the commits
					return err
				})
				if err != nil {
					f.Errorf("%s: %v", target, err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		group.Wait()
		close(done)
	}()
	delivered := make(map[int][]string)
	deliver := func() int {
		targets := f.next(10)
		for _, target := range targets {
			var w, n int
			_, err := fmt.Sscanf(target, "%d-%d", &w, &n)
			require.NoError(f, err)
			delivered[w] = append(delivered[w], fmt.Sprint(n))
		}
		return len(targets)
	}
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		deliver()
	}
	for deliver() > 0 {
	}
	want := []string{}
	for n := range each {
		want = append(want, fmt.Sprint(n))
	}
	for w := range writers {
		require.Equal(f, want, delivered[w], "the queue delivers each event of writer %d once, in order", w)
	}
}

func eventQueueLimit(f *fixture) {
	f.stream()
	for i := range 5 {
		f.append(fmt.Sprint(i, "a"), fmt.Sprint(i, "b"))
	}
	require.Equal(f, []string{"0a", "0b"}, f.next(2))
	require.Equal(f, []string{"1a"}, f.next(1)[:1], "the next events follow")
	rest := []string{}
	for {
		batch := f.next(3)
		if len(batch) == 0 {
			break
		}
		rest = append(rest, batch...)
	}
	require.Equal(f, "4b", rest[len(rest)-1])
	// The queue must also deliver all events if there are more commits than one batch can contain.
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				f.append("many")
			}
		})
	}
	group.Wait()
	count := 0
	for batch := f.next(1000); len(batch) > 0; batch = f.next(1000) {
		count += len(batch)
	}
	require.Equal(f, 400, count)
}

func janitorEventQueue(f *fixture) {
	holder := f.stream()
	f.append("queued")
	sweep := func(before time.Time) int {
		f.Helper()
		count, err := f.DeleteAbandonedQueue(f.Context(), before, 10)
		require.NoError(f, err)
		return count
	}
	// Old events must not be deleted before the stream has delivered them.
	later := time.Now().Add(2 * time.Hour)
	count, err := f.DeleteOldEvents(f.Context(), later, 10)
	require.NoError(f, err)
	require.Zero(f, count)

	require.NoError(f, f.Queue.Release(f.Context(), holder))
	require.Zero(f, sweep(time.Now().Add(-time.Minute)), "the lease was released after the cutoff of this sweep")
	require.Equal(f, 1, sweep(later), "the lease was released before the cutoff of this sweep")
	require.Zero(f, sweep(later))
	f.append("without a stream")
	require.Empty(f, f.next(10))
	count, err = f.DeleteOldEvents(f.Context(), later, 10)
	require.NoError(f, err)
	require.Equal(f, 2, count)
	f.stream()
	f.append("next stream")
	require.Equal(f, []string{"next stream"}, f.next(10))
}
