package auditstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fast are intervals for tests. The lease is long enough for a slow machine.
var fast = Times{
	Poll:       5 * time.Millisecond,
	Lease:      3 * time.Second,
	Delivery:   time.Second,
	FirstRetry: 5 * time.Millisecond,
	LastRetry:  20 * time.Millisecond,
}

// log is an audit log on a real database.
type log struct {
	t      *testing.T
	store  *postgres.Store
	writer *postgres.EventWriter
}

// openLog returns an empty audit log whose stream has begun.
func openLog(t *testing.T) *log {
	t.Helper()
	store, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.New(t), Clock: system.Clock{}})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	l := &log{t: t, store: store, writer: store.NewEventWriter()}
	t.Cleanup(l.writer.Close)
	queue := store.NewEventQueue()
	claimed, err := queue.Claim(t.Context(), [16]byte{1}, time.Minute)
	require.NoError(t, err)
	require.True(t, claimed)
	require.NoError(t, queue.Release(t.Context(), [16]byte{1}))
	return l
}

// write commits events with numbered targets, one after the other.
func (l *log) write(from, to int) (targets []string) {
	l.t.Helper()
	for n := from; n < to; n++ {
		target := fmt.Sprintf("event %03d", n)
		event := domain.NewEvent(system.IDs{}.New(), domain.ActionReadEntry, domain.Requester{}, domain.Caller{},
			system.Clock{}.Now()).To(target)
		require.NoError(l.t, l.writer.Write(l.t.Context(), event))
		targets = append(targets, target)
	}
	return targets
}

// stream returns a stream of the log.
func (l *log) stream(to Destination, times Times) *Stream {
	return New(Config{
		Queue:       l.store.NewEventQueue(),
		Destination: to,
		Encode:      func(event domain.Event) ([]byte, error) { return json.Marshal(event.Target) },
		Server:      system.IDs{}.New(),
		Log:         slog.New(slog.DiscardHandler),
		Times:       times,
	})
}

// run runs a stream until the returned function is called, which waits for its end.
func run(stream *Stream) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		stream.Run(ctx)
	}()
	return sync.OnceFunc(func() {
		cancel()
		<-ended
	})
}

// receiver is a destination that keeps the delivered targets.
type receiver struct {
	mu       sync.Mutex // guards the following fields
	targets  []string
	attempts int
	// accept returns how many of the lines an attempt accepts, and its error; nil accepts all.
	accept func(ctx context.Context, attempt, lines int) (int, error)
}

func (r *receiver) Deliver(ctx context.Context, lines [][]byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	count, err := len(lines), error(nil)
	if r.accept != nil {
		count, err = r.accept(ctx, r.attempts, len(lines))
	}
	r.attempts++
	for _, line := range lines[:count] {
		var target string
		if err := json.Unmarshal(line, &target); err != nil {
			return 0, err
		}
		r.targets = append(r.targets, target)
	}
	return count, err
}

func (r *receiver) Close() error { return nil }

func (r *receiver) received() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.targets)
}

// await waits until the receiver has all targets.
func (r *receiver) await(t *testing.T, targets []string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Subset(c, r.received(), targets)
	}, 20*time.Second, 10*time.Millisecond)
}

var errRefused = errors.New("refused")

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

	// A stop delivers the rest of the queue.
	stop = run(stream)
	targets = append(targets, l.write(60, 80)...)
	stop()
	require.Equal(t, targets, to.received())
}

// TestFailedDeliveriesAreRepeated makes deliveries fail in different ways: with no line, with some lines, and by the
// timeout. No event is delivered twice, because the stream knows which lines were accepted.
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

// TestAgeOfTheQueue verifies the age that is reported for a receiver that accepts nothing, and afterwards.
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
	time.Sleep(50 * time.Millisecond)
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

// TestOneOfManyServersDelivers runs several servers. The one with the lease delivers; another one continues when it
// stops, and also when it crashes, after the lease has ended.
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

// TestABrokenDatabaseIsNoEnd verifies that errors of the queue are counted and the stream continues.
func TestABrokenDatabaseIsNoEnd(t *testing.T) {
	t.Parallel()
	l, to := openLog(t), &receiver{}
	stream := l.stream(to, fast)
	broken := &brokenQueue{EventQueue: stream.config.Queue, fails: 6}
	stream.config.Queue = broken
	stop := run(stream)
	defer stop()
	targets := l.write(0, 10)
	to.await(t, targets)
	require.Equal(t, int64(6), stream.Stats().Failures)
}

// brokenQueue fails a number of times in each method, one after the other.
type brokenQueue struct {
	ports.EventQueue

	mu    sync.Mutex // guards fails
	fails int
}

func (q *brokenQueue) fail() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.fails == 0 {
		return nil
	}
	q.fails--
	return domain.Unavailable
}

func (q *brokenQueue) Claim(ctx context.Context, holder [16]byte, lease time.Duration) (bool, error) {
	if q.count() > 4 {
		return false, q.fail()
	}
	return q.EventQueue.Claim(ctx, holder, lease)
}

func (q *brokenQueue) Next(ctx context.Context, limit int) (ports.QueuedEvents, error) {
	if q.count() > 2 {
		return ports.QueuedEvents{}, q.fail()
	}
	return q.EventQueue.Next(ctx, limit)
}

func (q *brokenQueue) Delivered(ctx context.Context, batch ports.QueuedEvents) error {
	if err := q.fail(); err != nil {
		return err
	}
	return q.EventQueue.Delivered(ctx, batch)
}

func (q *brokenQueue) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.fails
}
