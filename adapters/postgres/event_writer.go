package postgres

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
)

// EventWriter commits the audit events of concurrent requests together. A client cannot prevent an audit event by
// disconnecting, because EventWriter also commits the events of clients that have disconnected. It implements
// ports.EventWriter.
type EventWriter struct {
	pool    *pool
	counts  eventCounts
	batcher *batch.Batcher[domain.Event, struct{}]
}

type eventRequest = batch.Request[domain.Event, struct{}]

// maxEventBatch is the largest number of events in one commit.
const maxEventBatch = 512

// NewEventWriter returns an event writer. The caller must close the writer before it closes the store. If there are
// several writers, the field Events of Store.Stats covers only the writer that was created last.
func (s *Store) NewEventWriter() *EventWriter {
	w := &EventWriter{pool: s.pool, counts: s.eventCounts}
	w.batcher = batch.New(w.insert, batch.Config{
		Observe:       traceBatches(s.tracer, "event batch"),
		MaxBatch:      maxEventBatch,
		MaxConcurrent: 1, // one commit at a time makes the largest batches
		OnCancel:      batch.AlwaysFinish,
	})
	s.events.Store(w)
	return w
}

// Write returns after the event is committed; see ports.EventWriter.
func (w *EventWriter) Write(ctx context.Context, event domain.Event) error {
	_, err := w.batcher.Do(ctx, event)
	if errors.Is(err, batch.ErrCancelled) {
		return domain.ErrBusy.Because(err)
	}
	return err
}

// Close commits the queued events. Write returns domain.ErrBusy afterwards.
func (w *EventWriter) Close() { w.batcher.Close() }

// insert stores a batch. If the default isolation level of the database is stricter than read committed, the statement
// can have a conflict with a concurrent statement. In this case, the method insert runs the statement again.
func (w *EventWriter) insert(ctx context.Context, requests []*eventRequest) error {
	for attempt := 1; ; attempt++ {
		err := w.insertOnce(ctx, requests)
		if err == nil {
			for _, request := range requests {
				w.counts.add(&request.Input)
			}
		}
		if !sqlstate.IsConflict(err) || attempt == maxAttempts {
			return translate(err)
		}
	}
}

// insertOnce inserts all events with one statement outside of a transaction block, so the server commits the events
// immediately.
func (w *EventWriter) insertOnce(ctx context.Context, requests []*eventRequest) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	notReplicated := watchReplication(conn)
	_, err = conn.Exec(ctx, insertEvents,
		eventArrays(requests, func(r *eventRequest) *domain.Event { return &r.Input })...)
	if err == nil && notReplicated() {
		return outcomeUnknown(errNotReplicated)
	}
	return err
}
