// Package auditstream delivers the audit log to another system. It writes JSON lines to standard output or to a file,
// or sends them to a webhook.
//
// A server delivers the events in the order of the queue. When the destination has accepted the events, the server
// removes them from the queue. If the server stops between these two steps, the same events are delivered again. Each
// event is therefore delivered at least once. If several servers share the queue, only the server that holds the lease
// delivers events.
package auditstream

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

const (
	// maxBatch is the target size of a batch, in events. A batch can be larger, because events that one statement
	// stored are delivered together.
	maxBatch = 500
	// stopTimeout is the time limit for the last delivery when the server stops.
	stopTimeout = 5 * time.Second
)

// Stats describe a Stream. The counts start at zero when the Stream is made.
type Stats struct {
	// Delivered counts delivered events. Failures counts failed deliveries and failed operations on the queue.
	Delivered, Failures int64
	// Age is the time since the oldest event entered the queue, or 0 if the queue is empty. A server without the lease
	// reports the age from its last measurement.
	Age time.Duration
	// Holder reports whether this server has the lease.
	Holder bool
}

// Stream delivers the events of a queue.
type Stream struct {
	config Config
	times  Times

	delivered, failures atomic.Int64
	holder              atomic.Bool
	// The field age is the time since the oldest event entered the queue, in nanoseconds. It is 0 for an empty queue.
	// The field named measured holds the time at which age was measured, in nanoseconds since 1970.
	age, measured atomic.Int64

	// Only Run uses the following fields.

	// claimed is the time of the last successful claim of the lease. It is zero if this server has no lease.
	claimed time.Time
	// inRow counts the failures since the last success.
	inRow int
	// accepted holds the events of the current batch that the destination accepted before the delivery failed. The next
	// attempt omits these events. The stream therefore makes progress even if a slow receiver accepts only a part of a
	// batch within the time limit.
	accepted map[domain.EventID]bool
}

// New returns a Stream. Call Run to start it.
func New(config Config) *Stream { return &Stream{config: config, times: config.Times.orDefaults()} }

// Stats returns the current counts.
func (s *Stream) Stats() Stats {
	stats := Stats{Delivered: s.delivered.Load(), Failures: s.failures.Load(), Holder: s.holder.Load()}
	stats.Age = time.Duration(s.age.Load())
	if stats.Age > 0 && stats.Holder {
		stats.Age += time.Since(time.Unix(0, s.measured.Load()))
	}
	return stats
}

// Begin claims the lease. If the database has no audit stream yet, Begin creates the stream. Every event that is stored
// afterwards enters the queue. Call Begin before Run and before the server accepts requests.
func (s *Stream) Begin(ctx context.Context) error {
	_, err := s.claim(ctx)
	return err
}

// Run delivers events until ctx ends. After that, if the last delivery succeeded, Run continues with the rest of the
// queue for at most stopTimeout. Run releases the lease before it returns.
func (s *Stream) Run(ctx context.Context) {
	// The context of the deliveries outlives ctx, so a running delivery can complete.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopTimeout, cancel) })()
	for ctx.Err() == nil {
		wait := s.step(work)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
		timer.Stop()
	}
	if s.inRow == 0 { // after a failure, leave the queue to the next server
		for s.step(work) == 0 {
		}
	}
	s.release(work)
}

// release gives up the lease, so another server need not wait until the lease expires.
func (s *Stream) release(ctx context.Context) {
	if s.claimed.IsZero() {
		return
	}
	s.holder.Store(false)
	if err := s.config.Queue.Release(ctx, s.config.Server); err != nil {
		s.config.Log.Warn("cannot release the lease of the audit stream; "+
			"another server continues after the lease expires",
			slog.Any("error", err))
	}
}

// step claims the lease if necessary and delivers one batch. It returns the time to wait before the next step. After a
// successful delivery, this time is 0.
func (s *Stream) step(ctx context.Context) (wait time.Duration) {
	held, err := s.claim(ctx)
	if err == nil && held {
		var delivered bool
		if delivered, err = s.deliver(ctx); err == nil && delivered {
			s.succeed()
			return 0
		}
	}
	switch {
	case err != nil:
		return s.fail(err)
	case !held:
		s.inRow = 0
		return jitter(s.times.Lease / 3)
	default:
		s.succeed()
		return s.times.Poll
	}
}

// claim claims the lease. If this server already has the lease, claim extends it only after a third of Times.Lease has
// passed. After each claim or extension, claim measures the age of the queue. claim reports whether this server holds a
// lease that lasts long enough for a delivery.
func (s *Stream) claim(ctx context.Context) (bool, error) {
	if !s.claimed.IsZero() && time.Since(s.claimed) < s.times.Lease/3 {
		return true, nil
	}
	asked := time.Now() // earlier than the start of the lease in the database
	ctx, cancel := context.WithTimeout(ctx, s.times.Lease/3)
	defer cancel()
	held, err := s.config.Queue.Claim(ctx, s.config.Server, s.times.Lease)
	if err != nil {
		// This server may still hold the lease from an earlier claim, but that lease could end during a delivery. claim
		// therefore treats the lease as lost.
		held = false
	}
	s.claimed = time.Time{}
	if held {
		s.claimed = asked
	}
	if held != s.holder.Swap(held) && held {
		s.config.Log.Info("this server delivers the audit stream")
	}
	if err != nil {
		return false, err
	}
	age, err := s.config.Queue.Age(ctx)
	if err != nil {
		return held, err
	}
	s.setAge(age)
	return held, nil
}

// deliver delivers the next batch. It returns false without an error if the queue is empty. Its time limits are short
// enough that deliver returns before the lease ends.
func (s *Stream) deliver(ctx context.Context) (bool, error) {
	limited, cancel := context.WithTimeout(ctx, s.times.Delivery)
	defer cancel()
	batch, err := s.config.Queue.Next(limited, maxBatch)
	if err != nil {
		return false, err
	}
	if len(batch.Positions) == 0 {
		s.setAge(0)
		return false, nil
	}
	if err := s.send(limited, batch.Events); err != nil {
		return false, err
	}
	// The removal from the queue has its own deadline, because a slow delivery can use up the deadline above. Events
	// that stay in the queue are delivered again.
	removing, cancelRemoving := context.WithTimeout(ctx, s.times.Delivery/2)
	defer cancelRemoving()
	if err := s.config.Queue.Delivered(removing, batch); err != nil {
		return false, err
	}
	s.accepted = nil
	return true, nil
}

// send sends the given events, except those that the destination has already accepted. It adds the events that the
// destination accepts in this call to s.accepted.
func (s *Stream) send(ctx context.Context, events []domain.Event) error {
	events = slices.DeleteFunc(slices.Clone(events), func(e domain.Event) bool { return s.accepted[e.ID] })
	lines := make([][]byte, len(events))
	for i, event := range events {
		line, err := s.config.Encode(event)
		if err != nil {
			return err
		}
		lines[i] = append(line, '\n')
	}
	if len(lines) == 0 {
		return nil
	}
	count, err := s.config.Destination.Deliver(ctx, lines)
	if s.accepted == nil {
		s.accepted = make(map[domain.EventID]bool)
	}
	for _, event := range events[:count] {
		s.accepted[event.ID] = true
	}
	s.delivered.Add(int64(count))
	return err
}

// setAge records the age of the oldest event in the queue.
func (s *Stream) setAge(age time.Duration) {
	s.measured.Store(time.Now().UnixNano())
	s.age.Store(int64(age))
}

// succeed resets the count of consecutive failures.
func (s *Stream) succeed() {
	if s.inRow > 0 {
		s.config.Log.Info("the audit stream continues", slog.Int("failures", s.inRow))
	}
	s.inRow = 0
}

// fail counts and logs a failure, and returns the time to wait before the next attempt.
func (s *Stream) fail(err error) time.Duration {
	s.failures.Add(1)
	s.inRow++
	wait := s.times.LastRetry
	if doublings := s.inRow - 1; doublings < 16 {
		wait = min(wait, s.times.FirstRetry<<doublings)
	}
	wait = jitter(wait)
	if asked := retryAfter(err); asked > wait {
		wait = asked
	}
	s.config.Log.Warn("the audit stream failed; the events stay in the queue until they are delivered",
		slog.Any("error", err), slog.Int("failures", s.inRow), slog.Duration("retry_in", wait))
	return wait
}

// jitter returns a random time between half of the given time and the full time. The random part keeps several servers
// from acting at the same time.
func jitter(wait time.Duration) time.Duration {
	return wait/2 + rand.N(wait/2+1) //nolint:gosec // no secret
}
