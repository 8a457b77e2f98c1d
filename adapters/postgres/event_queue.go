package postgres

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// queueStored returns SQL that adds events to the queue of the audit stream. The SQL must be part of the statement that
// stores the events, and the argument stored must name a WITH query of this statement. That query returns the IDs of
// the events. If there is no audit stream, EXISTS is false, and the server does not collect the IDs.
func queueStored(stored string) string {
	return `INSERT INTO event_queue (id, events) SELECT events[1], events
		FROM (SELECT array_agg(id ORDER BY id) AS events FROM ` + stored + `) s
		WHERE events IS NOT NULL AND EXISTS (SELECT FROM event_stream WHERE id = 1)`
}

// EventQueue implements ports.EventQueue. It is safe for concurrent use.
//
// A transaction that stores events also adds their identifiers to the queue, so the queue contains exactly the
// committed events. The queue is ordered by transaction number, not by event identifier. An event may be committed
// after an event with a higher identifier, and a reader that follows the identifiers would miss it. The database
// assigns the transaction numbers, so the order does not depend on the clocks of the servers.
type EventQueue struct {
	pool *pool

	mu sync.Mutex // guards the following fields
	// The queue contains no row with a transaction number below floor, and no such row can be added. The method Next
	// therefore starts at floor and skips the index entries of rows that were deleted. The value of floor is valid
	// until floorUntil.
	floor      uint64
	floorUntil time.Time
}

var _ ports.EventQueue = (*EventQueue)(nil)

// floorLifetime is how long a floor stays valid. After a failover, the new primary possibly lacks the last transactions
// of the old primary. It assigns the numbers of these transactions again, so new rows can have numbers below the floor.
// The method Next finds such rows when the floor is no longer valid.
const floorLifetime = 10 * time.Second

// NewEventQueue returns the queue of the audit stream. Each audit stream needs a queue of its own.
func (s *Store) NewEventQueue() *EventQueue { return &EventQueue{pool: s.pool} }

// Claim compares the lease with the database's clock, which all servers share.
func (q *EventQueue) Claim(ctx context.Context, holder [16]byte, lease time.Duration) (bool, error) {
	tag, err := q.pool.Exec(ctx, `INSERT INTO event_stream AS s (id, holder, lease_until)
		VALUES (1, $1, clock_timestamp() + make_interval(secs => $2))
		ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until
			WHERE s.holder = $1 OR s.lease_until <= clock_timestamp()`, holder, lease.Seconds())
	return tag.RowsAffected() == 1, translate(err)
}

// Release ends the lease. It does not delete the row of event_stream, because deleting the row would end the audit
// stream.
func (q *EventQueue) Release(ctx context.Context, holder [16]byte) error {
	_, err := q.pool.Exec(ctx, `UPDATE event_stream SET lease_until = clock_timestamp() WHERE id = 1 AND holder = $1`,
		holder)
	return translate(err)
}

// queuedRow is a row of event_queue. It holds the identifiers of the events that one statement has stored.
type queuedRow struct {
	xid    uint64
	id     [16]byte
	events [][16]byte
}

// maxQueuedRows is the largest number of rows that one call of Next reads.
const maxQueuedRows = 256

// nextRows selects rows of the queue. The first column is the number of the oldest running transaction. If the queue is
// empty, nextRows returns one row, in which all other columns are NULL.
const nextRows = `SELECT pg_snapshot_xmin(pg_current_snapshot()), q.xid, q.id, q.events
	FROM (SELECT 1) one LEFT JOIN LATERAL (
		SELECT xid, id, events FROM event_queue WHERE xid >= $1 ORDER BY xid, id LIMIT $2) q ON true
	ORDER BY q.xid, q.id`

// Next reads rows of the queue. Each row contains identifiers of events. Next then reads these events. It returns all
// events of each row, so the number of events can be higher than limit.
func (q *EventQueue) Next(ctx context.Context, limit int) (ports.QueuedEvents, error) {
	rows, oldest, err := q.readRows(ctx)
	if err != nil {
		return ports.QueuedEvents{}, err
	}
	// All transactions with numbers below the value of oldest have ended. readRows has therefore already read their
	// rows.
	batch := ports.QueuedEvents{Horizon: oldest}
	var ids [][16]byte
	for i, row := range rows {
		if len(ids) >= limit || i == maxQueuedRows-1 {
			batch.Horizon = 0 // further rows exist, or may exist
		}
		if len(ids) >= limit {
			break
		}
		ids = append(ids, row.events...)
		batch.Positions = append(batch.Positions, ports.QueuePosition{Transaction: row.xid, First: row.id})
	}
	if len(ids) == 0 {
		q.setFloor(batch.Horizon)
		return batch, nil
	}
	batch.Events, err = q.readEvents(ctx, ids)
	return batch, err
}

// readRows returns up to maxQueuedRows rows, in the order of their transaction numbers, and the number of the oldest
// running transaction.
func (q *EventQueue) readRows(ctx context.Context) (found []queuedRow, oldest uint64, err error) {
	rows, err := q.pool.Query(ctx, nextRows, q.currentFloor(), maxQueuedRows)
	found, err = collect(rows, err, func(row pgx.CollectableRow) (queuedRow, error) {
		var read queuedRow
		var xid pgtype.Uint64
		var id pgtype.UUID
		err := row.Scan(&oldest, &xid, &id, &read.events)
		read.xid, read.id = xid.Uint64, id.Bytes
		return read, err
	})
	if err == nil && found[0].events == nil { // the row without a queue entry
		found = nil
	}
	return found, oldest, err
}

// currentFloor returns the floor, or 0 if the floor is no longer valid.
func (q *EventQueue) currentFloor() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Now().After(q.floorUntil) {
		q.floor = 0
	}
	return q.floor
}

// setFloor sets the floor. It ignores a floor of 0. A new floor does not extend the lifetime of a valid old floor:
// floorUntil changes only if there was no valid floor.
func (q *EventQueue) setFloor(floor uint64) {
	if floor == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.floor == 0 {
		q.floorUntil = time.Now().Add(floorLifetime)
	}
	q.floor = floor
}

// readEvents returns the events with the given identifiers, in the order of the identifiers. It omits events that do
// not exist.
func (q *EventQueue) readEvents(ctx context.Context, ids [][16]byte) ([]domain.Event, error) {
	rows, err := q.pool.Query(ctx, `SELECT `+eventColumns+` FROM events WHERE id = ANY ($1::uuid[])`, ids)
	list, err := collect(rows, err, func(row pgx.CollectableRow) (domain.Event, error) { return scanEvent(row) })
	if err != nil {
		return nil, err
	}
	byID := make(map[[16]byte]domain.Event, len(list))
	for _, event := range list {
		byID[event.ID] = event
	}
	ordered := make([]domain.Event, 0, len(list))
	for _, id := range ids {
		if event, found := byID[id]; found {
			ordered = append(ordered, event)
		}
	}
	return ordered, nil
}

// Delivered deletes the rows by their primary key. It does not check the lease: even if the lease has ended, the events
// were delivered, and must leave the queue.
func (q *EventQueue) Delivered(ctx context.Context, batch ports.QueuedEvents) error {
	// The driver has no array type for transaction numbers, so they are sent as text.
	transactions := column(batch.Positions, func(p ports.QueuePosition) string {
		return strconv.FormatUint(p.Transaction, 10)
	})
	firsts := column(batch.Positions, func(p ports.QueuePosition) [16]byte { return p.First })
	_, err := q.pool.Exec(ctx, `DELETE FROM event_queue q USING `+unnest("text", "uuid")+` AS d (xid, id)
		WHERE q.xid = d.xid::xid8 AND q.id = d.id`, transactions, firsts)
	if err == nil {
		q.setFloor(batch.Horizon)
	}
	return translate(err)
}

// Age uses the clock of the database, because the times in the queue come from that clock.
func (q *EventQueue) Age(ctx context.Context) (time.Duration, error) {
	var seconds float64
	err := q.pool.QueryRow(ctx, `SELECT COALESCE((
		SELECT GREATEST(0, EXTRACT(EPOCH FROM clock_timestamp() - queued_at))::float8
			FROM event_queue ORDER BY xid, id LIMIT 1), 0)`).Scan(&seconds)
	return time.Duration(seconds * float64(time.Second)), translate(err)
}

// DeleteAbandonedQueue ends an abandoned stream with one statement, and deletes rows of the queue with another. A
// server may start the stream again after the first statement. The second statement then deletes no rows, and the
// events are delivered. See ports.Janitor.
func (s *Store) DeleteAbandonedQueue(ctx context.Context, before time.Time, limit int) (int, error) {
	if _, err := s.pool.Exec(ctx, `DELETE FROM event_stream WHERE id = 1 AND lease_until < $1`, before); err != nil {
		return 0, translate(err)
	}
	tag, err := s.pool.Exec(ctx, `DELETE FROM event_queue WHERE (xid, id) IN (SELECT xid, id FROM event_queue
		WHERE NOT EXISTS (SELECT FROM event_stream WHERE id = 1) ORDER BY xid, id LIMIT $1)`, limit)
	return int(tag.RowsAffected()), translate(err)
}
