package auditstream

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEventsAreDeliveredOnceInOrder(t *testing.T) {
	t.Parallel()
	l, to := openLog(t), &receiver{}
	targets := l.write(0, 20) // before the stream runs
	stream := l.stream(to, fast)
	stop := run(stream)
	defer stop()
	targets = append(targets, l.write(20, 60)...)
	to.await(t, targets)
	stop()
	require.Equal(t, targets, to.received())
	require.Equal(t, Stats{Delivered: 60}, stream.Stats())

	// When the stream stops, it delivers the rest of the queue.
	stop = run(stream)
	targets = append(targets, l.write(60, 80)...)
	stop()
	require.Equal(t, targets, to.received())
}

// TestFailedDeliveriesAreRepeated makes deliveries fail in different ways: the receiver accepts no line, accepts only
// some of the lines, or exceeds the time limit. No event is delivered twice, because the stream knows which lines were
// accepted.
func TestFailedDeliveriesAreRepeated(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	targets := l.write(0, 30)
	to := &receiver{accept: func(ctx context.Context, attempt, lines int) (int, error) {
		switch {
		case attempt > 8:
			return lines, nil
		case attempt == 2:
			<-ctx.Done()
			return 0, ctx.Err()
		case attempt%2 == 1:
			return min(2, lines), errRefused
		default:
			return 0, errRefused
		}
	}}
	times := fast
	times.Delivery = 200 * time.Millisecond
	stream := l.stream(to, times)
	stop := run(stream)
	defer stop()
	to.await(t, targets)
	stop()
	require.Equal(t, targets, to.received())
	require.Equal(t, Stats{Delivered: 30, Failures: 9}, stream.Stats())
}

// TestAgeOfTheQueue verifies the reported age while the receiver accepts nothing, and after it accepts events again.
func TestAgeOfTheQueue(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	accepts := make(chan struct{})
	to := &receiver{accept: func(_ context.Context, _, lines int) (int, error) {
		select {
		case <-accepts:
			return lines, nil
		default:
			return 0, errRefused
		}
	}}
	targets := l.write(0, 3)
	time.Sleep(50 * time.Millisecond) // the events reach the age that the test expects
	stream := l.stream(to, fast)
	stop := run(stream)
	defer stop()
	require.Eventually(t, func() bool { return stream.Stats().Failures > 1 }, 20*time.Second, time.Millisecond)
	require.Greater(t, stream.Stats().Age, 50*time.Millisecond)
	require.True(t, stream.Stats().Holder)
	close(accepts)
	to.await(t, targets)
	require.Eventually(t, func() bool { return stream.Stats().Age == 0 }, 20*time.Second, time.Millisecond)
}

// TestRestartsLoseNothing stops and replaces the server again and again while events are written and deliveries fail.
// Each event arrives at least once, and the first arrivals are in order.
func TestRestartsLoseNothing(t *testing.T) {
	t.Parallel()
	l := openLog(t)
	to := &receiver{accept: func(_ context.Context, attempt, lines int) (int, error) {
		if attempt%3 == 1 {
			return lines / 2, errRefused
		}
		return lines, nil
	}}
	written := make(chan []string)
	go func() { written <- l.write(0, 150) }()
	var targets []string
	for targets == nil {
		stop := run(l.stream(to, fast))
		select {
		case targets = <-written:
		case <-time.After(20 * time.Millisecond):
		}
		stop()
	}
	stop := run(l.stream(to, fast))
	defer stop()
	to.await(t, targets)
	var first []string
	seen := make(map[string]bool)
	for _, target := range to.received() {
		if !seen[target] {
			first = append(first, target)
		}
		seen[target] = true
	}
	require.Equal(t, targets, first)
}

// TestOneOfManyServersDelivers runs several servers. Only the server with the lease delivers. When that server stops,
// another server continues. If that server crashes instead, another server continues when the lease has expired.
func TestOneOfManyServersDelivers(t *testing.T) {
	t.Parallel()
	l, to := openLog(t), &receiver{}
	queue := l.store.NewEventQueue()
	claimed, err := queue.Claim(t.Context(), [16]byte{9}, 500*time.Millisecond) // by a server that has crashed
	require.NoError(t, err)
	require.True(t, claimed)
	times := fast
	times.Lease = 600 * time.Millisecond
	times.Delivery = 250 * time.Millisecond
	streams, stops := make([]*Stream, 3), make([]func(), 3)
	for i := range streams {
		streams[i] = l.stream(to, times)
		stops[i] = run(streams[i])
		defer stops[i]()
	}
	targets := l.write(0, 40)
	to.await(t, targets)
	holder := slices.IndexFunc(streams, func(s *Stream) bool { return s.Stats().Holder })
	require.GreaterOrEqual(t, holder, 0)
	stops[holder]()
	require.False(t, streams[holder].Stats().Holder)
	targets = append(targets, l.write(40, 80)...)
	to.await(t, targets)
	require.Equal(t, targets, to.received())
}

// TestABrokenDatabaseIsNoEnd verifies that the stream counts errors of the queue and continues.
func TestABrokenDatabaseIsNoEnd(t *testing.T) {
	t.Parallel()
	l, to := openLog(t), &receiver{}
	stream := l.stream(to, fast)
	broken := &brokenQueue{EventQueue: stream.config.Queue, fails: 6}
	stream.config.Queue = broken
	stop := run(stream)
	defer stop()
	targets := l.write(0, 10)
	require.Eventually(t, func() bool { return stream.Stats().Failures == 6 }, 20*time.Second, time.Millisecond)
	to.await(t, targets)
	require.Equal(t, targets, to.received(), "accepted events are not delivered again")
}
