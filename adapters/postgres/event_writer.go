package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// EventWriter commits the events of concurrent requests together. It implements ports.EventWriter.
type EventWriter struct {
	store    *Store
	gatherer gatherer[domain.Event, struct{}]
}

// eventBatch bounds how many events are committed together.
const eventBatch = 512

// NewEventWriter makes a writer; Close ends it.
func (s *Store) NewEventWriter() *EventWriter {
	w := &EventWriter{store: s}
	w.gatherer.gathererConfig = gathererConfig[domain.Event, struct{}]{carryOut: w.insert, mostInBatch: eventBatch, mostAtOnce: 1, apart: true}
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

var insertEvents = `INSERT INTO events (` + eventColumns + `) SELECT * FROM ` + unnest(eventTypes...)

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
	columns := newEventColumns(len(batch))
	for _, pending := range batch {
		columns.add(pending.asked)
	}
	conn, err := w.store.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	lost := watchReplication(conn)
	_, err = conn.Exec(ctx, insertEvents, columns.args()...)
	if err == nil && lost() {
		return outcomeUnknown(errNotReplicated)
	}
	return err
}

// eventColumnArrays holds a batch by columns.
type eventColumnArrays struct {
	ids, actors, credentials, boxes                                     []pgtype.UUID
	times                                                               []time.Time
	actions, outcomes, actorNames, boxNames, keys, targets, reqs, addrs []string
}

func newEventColumns(size int) *eventColumnArrays {
	ids, texts := make([]pgtype.UUID, 4*size), make([]string, 8*size)
	id := func(i int) []pgtype.UUID { return ids[i*size : i*size : (i+1)*size] }
	text := func(i int) []string { return texts[i*size : i*size : (i+1)*size] }
	return &eventColumnArrays{ids: id(0), actors: id(1), credentials: id(2), boxes: id(3), times: make([]time.Time, 0, size),
		actions: text(0), outcomes: text(1), actorNames: text(2), boxNames: text(3), keys: text(4), targets: text(5), reqs: text(6), addrs: text(7)}
}

func (c *eventColumnArrays) add(e domain.Event) {
	c.ids, c.actors = append(c.ids, uuid(e.ID)), append(c.actors, uuid(e.Actor))
	c.credentials, c.boxes = append(c.credentials, uuid(e.Credential)), append(c.boxes, uuid(e.Box))
	c.times = append(c.times, e.At)
	c.actions, c.outcomes = append(c.actions, e.Action.String()), append(c.outcomes, e.Outcome.String())
	c.actorNames, c.boxNames = append(c.actorNames, e.ActorName), append(c.boxNames, string(e.BoxName))
	c.keys, c.targets = append(c.keys, string(e.Key)), append(c.targets, e.Target)
	c.reqs, c.addrs = append(c.reqs, e.RequestID), append(c.addrs, e.Address)
}

// args are in the order of eventColumns.
func (c *eventColumnArrays) args() []any {
	return []any{c.ids, c.times, c.actions, c.outcomes, c.actors, c.actorNames, c.credentials, c.boxes, c.boxNames, c.keys, c.targets, c.reqs, c.addrs}
}
