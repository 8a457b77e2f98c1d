package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// EventQueue contains the committed audit events that the audit stream has not delivered yet. After the first Claim,
// every event enters the queue in the transaction that stores it. Every method returns Unavailable when the database
// does not answer.
type EventQueue interface {
	// Claim gives the lease to the given holder, and begins the stream if no stream exists. The lease begins now and
	// lasts for the given time. Claim reports false if the lease of another holder has not ended. Only the server with
	// the lease delivers events. A holder extends its own lease by calling Claim again.
	Claim(ctx context.Context, holder [16]byte, lease time.Duration) (bool, error)
	// Release ends the lease of the given holder.
	Release(ctx context.Context, holder [16]byte) error
	// Next returns a batch of the oldest events in the queue. The batch has at least one event if the queue is not
	// empty. The limit argument is the number of events after which the batch ends. The batch can have more events,
	// because Next never splits the events that one statement stored.
	//
	// Suppose that event A was committed before the transaction of event B began to write. Then A comes before B, in
	// the same batch or in an earlier one. Events of concurrent transactions can be in any order.
	Next(ctx context.Context, limit int) (QueuedEvents, error)
	// Delivered removes a batch from the queue.
	Delivered(ctx context.Context, batch QueuedEvents) error
	// Age returns the time since the oldest event entered the queue, or 0 if the queue is empty.
	Age(ctx context.Context) (time.Duration, error)
}

// QueuedEvents is a batch of the queue.
type QueuedEvents struct {
	// Events are the events of the batch, without those that were deleted from the audit log.
	Events []domain.Event
	// Positions identify the batch in the queue. The list is empty if the queue is empty.
	Positions []QueuePosition
	// Horizon is the number of a transaction. After the batch is removed, the queue contains no event of a transaction
	// with a number below Horizon, and such a transaction cannot add events any more. Horizon is 0 if the number is
	// unknown.
	Horizon uint64
}

// QueuePosition identifies the events that one statement stored.
type QueuePosition struct {
	// Transaction is the number of the transaction that stored the events. EventQueue.Next returns the events in the
	// order of this number.
	Transaction uint64
	First       [16]byte
}
