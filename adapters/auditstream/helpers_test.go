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

// fast are intervals for tests. The lease is so long that it does not end during a delivery on a slow machine.
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

// openLog returns an empty audit log and creates its stream, so later events are delivered.
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

// stream returns an audit stream that delivers the events of the log to the given destination.
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

// run runs a stream in the background. The returned function stops the stream and waits for its end.
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

// receiver is a destination that keeps the targets of the delivered events.
type receiver struct {
	mu       sync.Mutex // guards the following fields
	targets  []string
	attempts int
	// The function accept decides the results of Deliver: the number of lines that the receiver accepts, and an error.
	// If accept is nil, the receiver accepts all lines.
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

// await waits until the receiver has received events with all the given targets.
func (r *receiver) await(t *testing.T, targets []string) {
	t.Helper()
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Subset(c, r.received(), targets)
	}, 20*time.Second, 10*time.Millisecond)
}

var errRefused = errors.New("refused")

// brokenQueue is a queue whose next calls fail. The field fails is the number of calls that still have to fail. While
// it is above 4, Claim fails. While it is 3 or 4, Next fails. While it is 1 or 2, Delivered fails.
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
