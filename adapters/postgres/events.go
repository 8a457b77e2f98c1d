package postgres

import (
	"bytes"
	"context"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// events implements ports.Events, the audit log within a unit of work. EventWriter writes events outside of a unit of
// work.
type events struct{ q querier }

// eventColumns must be separated by a comma and one space, because buildWriteStatements adds a prefix to each column.
const eventColumns = `id, at, action, outcome, actor_id, actor_name, credential_id, ` +
	`box_id, box_name, entry_key, target, request_id, address, suppressed, changes`

// eventTypes are the types of eventColumns.
var eventTypes = []string{"uuid", "timestamptz", "text", "text", "uuid", "text", "uuid", "uuid", "text", "text", "text",
	"text", "text", "integer", "jsonb"}

// insertEvents inserts any number of events, and queues them for the audit stream. Its parameters come from
// eventArrays.
var insertEvents = `WITH stored AS (
		INSERT INTO events (` + eventColumns + `) SELECT * FROM ` + unnest(eventTypes...) + ` RETURNING id
	) ` + queueStored("stored")

// eventArrays returns the parameters in the order of eventColumns. Each parameter is an array with one element for each
// item. The argument event is a function that returns the event of an item.
func eventArrays[C any](items []C, event func(C) *domain.Event) []any {
	text := func(of func(*domain.Event) string) pointers[pgtype.Text] {
		return texts(items, func(c C) string { return of(event(c)) })
	}
	id := func(of func(*domain.Event) pgtype.UUID) pointers[pgtype.UUID] {
		return uuids(items, func(c C) pgtype.UUID { return of(event(c)) })
	}
	return []any{
		id(func(e *domain.Event) pgtype.UUID { return uuid(e.ID) }),
		timestamps(items, func(c C) time.Time { return event(c).At }),
		text(func(e *domain.Event) string { return e.Action.String() }),
		text(func(e *domain.Event) string { return e.Outcome.String() }),
		id(func(e *domain.Event) pgtype.UUID { return uuid(e.Actor) }),
		text(func(e *domain.Event) string { return e.ActorName }),
		id(func(e *domain.Event) pgtype.UUID { return uuid(e.Credential) }),
		id(func(e *domain.Event) pgtype.UUID { return uuid(e.Box) }),
		text(func(e *domain.Event) string { return string(e.BoxName) }),
		text(func(e *domain.Event) string { return string(e.Key) }),
		text(func(e *domain.Event) string { return e.Target }),
		text(func(e *domain.Event) string { return e.RequestID }),
		text(func(e *domain.Event) string { return e.Address }),
		pointers[pgtype.Int4](column(items, func(c C) pgtype.Int4 { return suppressed(event(c)) })),
		column(items, func(c C) []byte { return storedChanges(event(c)) }),
	}
}

// suppressed returns the parameter for event.Suppressed. It is NULL instead of 0, because the number is 0 for nearly
// all events, and NULL needs no storage.
func suppressed(event *domain.Event) pgtype.Int4 {
	count := int32(min(event.Suppressed, math.MaxInt32)) //nolint:gosec // bounded
	return pgtype.Int4{Int32: count, Valid: count > 0}
}

// queueEvent adds the INSERT of one event to the batch. The caller must then send this batch through q. If q is a
// transaction, the event is counted only after the commit.
func queueEvent(q querier, batch *pgx.Batch, event domain.Event) {
	if t, inside := q.(*transaction); inside {
		t.events = append(t.events, event)
	}
	batch.Queue(insertEvents, eventArrays([]*domain.Event{&event}, func(e *domain.Event) *domain.Event { return e })...)
}

// Append sends the event with the commit, or before the next statement of the transaction.
func (r events) Append(ctx context.Context, event domain.Event) error {
	var batch pgx.Batch
	queueEvent(r.q, &batch, event)
	return atCommit(ctx, r.q, &batch, translate)
}

// maxExaminedEvents is the largest number of events that List reads for one page. Reading that many events takes about
// 20 milliseconds if they are in memory.
const maxExaminedEvents = 10_000

// List reads one event more than fits on the page, to find out whether there is a next page.
func (r events) List(ctx context.Context, filter ports.EventFilter) (ports.EventPage, error) {
	sql, args := listSQL(filter)
	rows, err := r.q.Query(ctx, sql, args...)
	if err != nil {
		return ports.EventPage{}, translate(err)
	}
	defer rows.Close()
	page := ports.EventPage{Events: []domain.Event{}}
	for rows.Next() {
		var matches, last bool
		event, err := scanEvent(rows, &matches, &last)
		switch {
		case err != nil:
			return ports.EventPage{}, translate(err)
		case matches && len(page.Events) == filter.Limit:
			page.Next = page.Events[filter.Limit-1].ID
			return page, nil
		case matches:
			page.Events = append(page.Events, event)
		}
		if last {
			page.Next = event.ID
		}
	}
	return page, translate(rows.Err())
}

// listSQL returns the statement that selects the events of a filter. The statement sorts by the identifier, which
// begins with the time of the event. The time itself has no index. The inner SELECT reads up to maxExaminedEvents
// events by an index. The outer SELECT returns the matching events and the last event that was read. The next page
// begins after that last event. The action and the actor have no index. Even a read of an entry stores an event, so
// each read would have to update such an index.
func listSQL(filter ports.EventFilter) (sql string, args []any) {
	before := filter.Before
	if before.IsZero() {
		before = maxEventID
	}
	args = []any{uuid(before)}
	param := func(value any) string {
		args = append(args, value)
		return "$" + strconv.Itoa(len(args))
	}
	scope, matches := `id < $1`, `true`
	if !filter.Box.IsZero() {
		scope += ` AND box_id = ` + param(uuid(filter.Box))
	}
	if filter.Action != (domain.Action{}) {
		matches += ` AND action = ` + param(filter.Action.String())
	}
	if filter.Actor != "" {
		matches += ` AND actor_name = ` + param(string(filter.Actor))
	}
	examined := strconv.Itoa(maxExaminedEvents)
	sql = `SELECT ` + eventColumns + `, ` + matches + `, n = ` + examined + ` FROM (
			SELECT ` + eventColumns + `, row_number() OVER (ORDER BY id DESC) AS n FROM events
			WHERE ` + scope + ` ORDER BY id DESC LIMIT ` + examined + `) e
		WHERE ` + matches + ` OR n = ` + examined + ` ORDER BY id DESC LIMIT ` + param(filter.Limit+1)
	return sql, args
}

// maxEventID sorts after every event.
var maxEventID = domain.EventID(bytes.Repeat([]byte{0xff}, 16))

// scanEvent reads eventColumns. The argument more contains the targets for any further columns of the row. scanEvent
// does not validate actions and outcomes, because a newer server may have stored values that this version does not
// know.
func scanEvent(row pgx.Row, more ...any) (domain.Event, error) {
	var e domain.Event
	var id [16]byte
	var actor, credential, box pgtype.UUID
	var action, outcome, boxName, key string
	var suppressed pgtype.Int4
	var changes []byte
	err := row.Scan(append([]any{&id, &e.At, &action, &outcome, &actor, &e.ActorName, &credential, &box, &boxName, &key,
		&e.Target, &e.RequestID, &e.Address, &suppressed, &changes}, more...)...)
	e.ID, e.At, e.Action, e.Outcome = id, e.At.UTC(), domain.RestoreAction(action), domain.RestoreOutcome(outcome)
	e.Actor, e.Credential, e.Box = actor.Bytes, credential.Bytes, box.Bytes
	e.BoxName, e.Key, e.Suppressed = domain.BoxName(boxName), domain.EntryKey(key), int(suppressed.Int32)
	if err == nil {
		e.Changes, err = changesOf(changes)
	}
	return e, err
}
