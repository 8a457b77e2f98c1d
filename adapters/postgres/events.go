package postgres

import (
	"bytes"
	"context"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// events implements ports.Events, the audit log within a unit of work. EventWriter writes events
// outside of one.
type events struct{ q querier }

// eventColumns must be separated by a comma and one space: buildWriteStatements adds a prefix to
// each.
const eventColumns = `id, at, action, outcome, actor_id, actor_name, credential_id, ` +
	`box_id, box_name, entry_key, target, request_id, address`

// eventTypes are the types of eventColumns.
var eventTypes = []string{"uuid", "timestamptz", "text", "text", "uuid", "text", "uuid", "uuid", "text", "text", "text",
	"text", "text"}

// insertEvents inserts any number of events; its parameters come from eventArrays.
var insertEvents = `INSERT INTO events (` + eventColumns + `) SELECT * FROM ` + unnest(eventTypes...)

// eventArrays returns the parameters in the order of eventColumns: an array each. event returns the
// event of an item.
func eventArrays[C any](items []C, event func(C) *domain.Event) []any {
	texts := func(text func(*domain.Event) string) []string {
		return column(items, func(c C) string { return text(event(c)) })
	}
	ids := func(id func(*domain.Event) pgtype.UUID) []pgtype.UUID {
		return column(items, func(c C) pgtype.UUID { return id(event(c)) })
	}
	return []any{
		ids(func(e *domain.Event) pgtype.UUID { return uuid(e.ID) }),
		column(items, func(c C) time.Time { return event(c).At }),
		texts(func(e *domain.Event) string { return e.Action.String() }),
		texts(func(e *domain.Event) string { return e.Outcome.String() }),
		ids(func(e *domain.Event) pgtype.UUID { return uuid(e.Actor) }),
		texts(func(e *domain.Event) string { return e.ActorName }),
		ids(func(e *domain.Event) pgtype.UUID { return uuid(e.Credential) }),
		ids(func(e *domain.Event) pgtype.UUID { return uuid(e.Box) }),
		texts(func(e *domain.Event) string { return string(e.BoxName) }),
		texts(func(e *domain.Event) string { return string(e.Key) }),
		texts(func(e *domain.Event) string { return e.Target }),
		texts(func(e *domain.Event) string { return e.RequestID }),
		texts(func(e *domain.Event) string { return e.Address }),
	}
}

// queueEvent adds the insertion of one event to a batch.
func queueEvent(batch *pgx.Batch, event domain.Event) {
	batch.Queue(insertEvents, eventArrays([]*domain.Event{&event}, func(e *domain.Event) *domain.Event { return e })...)
}

// Append sends the event with the commit, or before the next statement of the transaction.
func (r events) Append(ctx context.Context, event domain.Event) error {
	var batch pgx.Batch
	queueEvent(&batch, event)
	return atCommit(ctx, r.q, &batch, translate)
}

// List sorts by the identifier, which begins with the time. There is no index on the time itself.
func (r events) List(ctx context.Context, filter ports.EventFilter) ([]domain.Event, error) {
	before := filter.Before
	if before.IsZero() {
		before = maxEventID
	}
	sql := `SELECT ` + eventColumns + ` FROM events WHERE id < $1`
	args := []any{uuid(before)}
	narrow := func(condition string, value any) {
		args = append(args, value)
		sql += condition + "$" + strconv.Itoa(len(args))
	}
	if !filter.Box.IsZero() {
		narrow(` AND box_id = `, uuid(filter.Box))
	}
	if filter.Action != (domain.Action{}) {
		narrow(` AND action = `, filter.Action.String())
	}
	if filter.Actor != "" {
		narrow(` AND actor_name = `, string(filter.Actor))
	}
	narrow(` ORDER BY id DESC LIMIT `, filter.Limit)
	rows, err := r.q.Query(ctx, sql, args...)
	return collect(rows, err, scanEvent)
}

// maxEventID sorts after every event.
var maxEventID = domain.EventID(bytes.Repeat([]byte{0xff}, 16))

// scanEvent reads eventColumns. Actions and outcomes are not validated: a newer server may have
// stored ones that this version does not know.
func scanEvent(row pgx.CollectableRow) (domain.Event, error) {
	var e domain.Event
	var id [16]byte
	var actor, credential, box pgtype.UUID
	var action, outcome, boxName, key string
	err := row.Scan(&id, &e.At, &action, &outcome, &actor, &e.ActorName, &credential, &box, &boxName, &key, &e.Target,
		&e.RequestID, &e.Address)
	e.ID, e.At, e.Action, e.Outcome = id, e.At.UTC(), domain.RestoreAction(action), domain.RestoreOutcome(outcome)
	e.Actor, e.Credential, e.Box = actor.Bytes, credential.Bytes, box.Bytes
	e.BoxName, e.Key = domain.BoxName(boxName), domain.EntryKey(key)
	return e, err
}
