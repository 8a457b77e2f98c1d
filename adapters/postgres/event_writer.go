package postgres

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// EventWriter commits the events of concurrent requests together: while one batch is being committed, the next one
// gathers. A lone event waits for nobody. It implements ports.EventWriter.
type EventWriter struct {
	store   *Store
	queue   chan pendingEvent
	done    chan struct{}
	closing sync.RWMutex // held for reading while an event is put into the queue
	closed  bool
	written atomic.Int64
	batches atomic.Int64
	refused atomic.Int64
}

type pendingEvent struct {
	event   domain.Event
	outcome chan error
}

const (
	// eventQueue bounds how many requests may wait for their events.
	eventQueue = 4096
	eventBatch = 512
)

// NewEventWriter starts the writer; Close stops it.
func (s *Store) NewEventWriter() *EventWriter {
	writer := &EventWriter{store: s, queue: make(chan pendingEvent, eventQueue), done: make(chan struct{})}
	go writer.run()
	return writer
}

// Write returns when the event is committed; see ports.EventWriter.
func (w *EventWriter) Write(ctx context.Context, event domain.Event) error {
	pending := pendingEvent{event: event, outcome: make(chan error, 1)}
	if !w.enqueue(pending) {
		w.refused.Add(1)
		return domain.ErrBusy.Because(errors.New("the queue of events is full or closed"))
	}
	select {
	case err := <-pending.outcome:
		return err
	case <-ctx.Done():
		return domain.ErrBusy.Because(ctx.Err())
	}
}

func (w *EventWriter) enqueue(pending pendingEvent) bool {
	w.closing.RLock()
	defer w.closing.RUnlock()
	if w.closed {
		return false
	}
	select {
	case w.queue <- pending:
		return true
	default:
		return false
	}
}

// Close commits what is in the queue and stops the writer.
func (w *EventWriter) Close() {
	w.closing.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.closing.Unlock()
	<-w.done
}

// EventWriterStats is what a writer has done so far, and what waits.
type EventWriterStats struct {
	Waiting                   int
	Written, Batches, Refused int64
}

// Stats returns the figures for the metrics.
func (w *EventWriter) Stats() EventWriterStats {
	return EventWriterStats{Waiting: len(w.queue), Written: w.written.Load(), Batches: w.batches.Load(), Refused: w.refused.Load()}
}

func (w *EventWriter) run() {
	defer close(w.done)
	batch := make([]pendingEvent, 0, eventBatch)
	for first := range w.queue {
		batch = w.gather(append(batch[:0], first))
		w.commit(batch)
		clear(batch)
	}
}

// gather takes what is waiting already, and waits for no more.
func (w *EventWriter) gather(batch []pendingEvent) []pendingEvent {
	for len(batch) < eventBatch {
		select {
		case next, open := <-w.queue:
			if !open {
				return batch
			}
			batch = append(batch, next)
		default:
			return batch
		}
	}
	return batch
}

func (w *EventWriter) commit(batch []pendingEvent) {
	err := w.insert(batch)
	if err != nil && len(batch) > 1 && domain.KindOf(err) != domain.Unavailable {
		// One that the database cannot take must not cost the others their answer.
		for i := range batch {
			w.commit(batch[i : i+1])
		}
		return
	}
	if err == nil {
		w.batches.Add(1)
		w.written.Add(int64(len(batch)))
	}
	for _, pending := range batch {
		pending.outcome <- err
	}
}

// insert tries again what the database refused because others were faster, which it does where its isolation level is
// raised.
func (w *EventWriter) insert(batch []pendingEvent) error {
	for attempt := 1; ; attempt++ {
		err := w.insertOnce(batch)
		if !isSerializationFailure(err) || attempt == maxAttempts {
			return translate(err)
		}
	}
}

// insertOnce is one statement, which commits by itself. It does not run under a request's context: the batch belongs to
// many.
func (w *EventWriter) insertOnce(batch []pendingEvent) error {
	ctx, cancel := context.WithTimeout(context.Background(), StatementTimeout)
	defer cancel()
	columns := newEventColumns(len(batch))
	for _, pending := range batch {
		columns.add(pending.event)
	}
	conn, err := w.store.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	lost := watchReplication(conn)
	_, err = conn.Exec(ctx, `INSERT INTO events (`+eventColumns+`)
		SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::text[], $4::text[], $5::uuid[], $6::text[], $7::uuid[],
			$8::uuid[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])`, columns.args()...)
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
