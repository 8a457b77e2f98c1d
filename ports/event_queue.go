package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// EventQueue contains the committed audit events that the audit stream has not delivered yet. Events enter the queue in
// the transaction that stores them, from the first Claim on. Every method returns Unavailable when the database does
// not answer.
type EventQueue interface {
	// Claim gives holder the lease for a time that begins now, and begins the stream if there is none. It reports false
	// if another holder's lease has not ended. Only the server with the lease delivers. A holder extends its own lease
	// by another Claim.
	Claim(ctx context.Context, holder [16]byte, lease time.Duration) (bool, error)
	// Release ends the lease of holder.
	Release(ctx context.Context, holder [16]byte) error
	// Next returns the oldest events in the queue, at least one if there are any. limit is the number of events after
	// which the batch ends with the events of the current commit.
	//
	// If one event was committed before the transaction of another began to write, it is in an earlier place or an
	// earlier batch. Events of concurrent transactions can be in any order.
	Next(ctx context.Context, limit int) (QueuedEvents, error)
	// Delivered removes a batch from the queue.
	Delivered(ctx context.Context, batch QueuedEvents) error
	// Age returns the time since the oldest event entered the queue; 0 if the queue is empty.
	Age(ctx context.Context) (time.Duration, error)
}

// QueuedEvents is a batch of the queue.
type QueuedEvents struct {
	// Events can have fewer events than the queue, because events that were deleted from the audit log are omitted.
	Events []domain.Event
	// Positions identify the batch in the queue; empty if the queue is empty.
	Positions []QueuePosition
	// Horizon is a transaction: when the batch is removed, no event of an earlier one is in the queue or can enter it.
	// It is 0 if such a transaction is not known.
	Horizon uint64
}

// QueuePosition identifies the events that one statement stored.
type QueuePosition struct {
	// Transaction orders commits; see EventQueue.Next.
	Transaction uint64
	First       [16]byte
}
