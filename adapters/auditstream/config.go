package auditstream

import (
	"context"
	"log/slog"
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Destination receives batches of events.
type Destination interface {
	// Deliver sends lines in order and returns how many of them the destination has accepted. If the destination has
	// not accepted all lines, Deliver also returns an error, and the caller delivers the remaining lines later. Each
	// line is an event as JSON and ends with a line feed. If ctx ends while Deliver runs, Deliver returns soon
	// afterwards.
	Deliver(ctx context.Context, lines [][]byte) (int, error)
	// Close releases the destination. Do not call Close while Deliver runs.
	Close() error
}

// Config describes a Stream.
type Config struct {
	Queue       ports.EventQueue
	Destination Destination
	// Encode returns an event as one line of JSON without the line feed.
	Encode func(domain.Event) ([]byte, error)
	// Server identifies this server among those that share the queue.
	Server [16]byte
	Log    *slog.Logger
	// Times is zero in production, so the defaults apply.
	Times Times
}

// Times are the intervals of a Stream. A zero field means the default.
type Times struct {
	// Poll is the time between two reads of an empty queue, by default a second.
	Poll time.Duration
	// Lease is the time for which a server claims the stream, by default 30 seconds. After a server stops without
	// releasing its lease, the stream pauses until the lease ends.
	Lease time.Duration
	// Delivery is the time limit of one delivery, by default 10 seconds. It must be below half of Lease.
	Delivery time.Duration
	// FirstRetry is the wait after the first failure, by default a second. The wait doubles with each further failure,
	// up to LastRetry, by default a minute.
	FirstRetry, LastRetry time.Duration
}

// orDefaults returns a copy of t and replaces each zero field of the copy with its default.
func (t Times) orDefaults() Times {
	for _, each := range []struct {
		value    *time.Duration
		standard time.Duration
	}{
		{&t.Poll, time.Second},
		{&t.Lease, 30 * time.Second},
		{&t.Delivery, 10 * time.Second},
		{&t.FirstRetry, time.Second},
		{&t.LastRetry, time.Minute},
	} {
		if *each.value == 0 {
			*each.value = each.standard
		}
	}
	return t
}
