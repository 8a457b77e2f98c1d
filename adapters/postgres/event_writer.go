package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockbox-go/lockbox/domain"
)

// EventWriter commits the events of concurrent requests together, also of those that hung up: nobody escapes the record so.
// It implements ports.EventWriter.
type EventWriter struct {
	pool     *pgxpool.Pool
	gatherer *gatherer[domain.Event, struct{}]
}

// eventBatch bounds how many events are committed together.
const eventBatch = 512

// NewEventWriter makes a writer; Close ends it.
func (s *Store) NewEventWriter() *EventWriter {
	w := &EventWriter{pool: s.pool}
	w.gatherer = newGatherer(w.insert, eventBatch, 1, inAnyCase)
	return w
}

// Write returns when the event is committed; see ports.EventWriter.
func (w *EventWriter) Write(ctx context.Context, event domain.Event) error {
	_, err := w.gatherer.do(ctx, event)
	if errors.Is(err, errRequestEnded) {
		return domain.ErrBusy.Because(err)
	}
	return err
}

// Close commits what waits and ends the writer.
func (w *EventWriter) Close() { w.gatherer.close() }

// Stats returns the figures for the metrics.
func (w *EventWriter) Stats() GathererStats { return w.gatherer.statistics() }

// insert tries again what the database refused because others were faster, which it does where its isolation level is
// raised.
func (w *EventWriter) insert(ctx context.Context, batch []*call[domain.Event, struct{}]) error {
	for attempt := 1; ; attempt++ {
		err := w.insertOnce(ctx, batch)
		if !isSerializationFailure(err) || attempt == maxAttempts {
			return translate(err)
		}
	}
}

// insertOnce is one statement, which commits by itself.
func (w *EventWriter) insertOnce(ctx context.Context, batch []*call[domain.Event, struct{}]) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	conn, err := w.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	lost := watchReplication(conn)
	_, err = conn.Exec(ctx, insertEvents,
		eventArrays(batch, func(c *call[domain.Event, struct{}]) *domain.Event { return &c.asked })...)
	if err == nil && lost() {
		return outcomeUnknown(errNotReplicated)
	}
	return err
}
