package postgres

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// Methods of ports.Janitor delete rows. The argument limit of each method bounds the number of rows that one call
// processes. A small number keeps the locks short.

// DeleteEndedSessions removes sessions that expired before the given time; see ports.Janitor.
func (s *Store) DeleteEndedSessions(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteEndedFamilies removes token families that expired or were revoked before the given time, together with their
// token pairs; see ports.Janitor.
func (s *Store) DeleteEndedFamilies(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM token_families WHERE id IN
		(SELECT id FROM token_families WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)`, before, limit)
}

// DeleteOldAttempts removes a counter if its last attempt, the end of its lockout and the time in keep_until are all
// older than domain.AttemptWindow. The next attempt would reset such a counter anyway. DeleteOldAttempts skips rows
// that a sign-in has locked. See ports.Janitor.
func (s *Store) DeleteOldAttempts(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM throttle WHERE key IN
		(SELECT key FROM throttle
			WHERE (last_at < $1 OR last_at IS NULL) AND (blocked_until < $1 OR blocked_until IS NULL)
				AND (keep_until < $1 OR keep_until IS NULL)
			LIMIT $2 FOR UPDATE SKIP LOCKED)`, now.Add(-domain.AttemptWindow), limit)
}

// DeleteKnownAddresses removes known addresses that expired before the given time; see ports.Janitor.
func (s *Store) DeleteKnownAddresses(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM known_addresses WHERE key IN
		(SELECT key FROM known_addresses WHERE expires_at < $1 LIMIT $2)`, before, limit)
}

// DeleteEndedAPIKeys removes API keys that expired before the given time; see ports.Janitor.
func (s *Store) DeleteEndedAPIKeys(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteEndedInvitations removes invitations that expired before the given time; see ports.Janitor.
func (s *Store) DeleteEndedInvitations(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx,
		`DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteOldEvents removes events older than the given time, in the order of their identifiers; see ports.Janitor. An
// identifier begins with the time in milliseconds (UUID version 7), so the statement finds old events by the index on
// identifiers. The index contains the entries of deleted events until vacuum removes them. To avoid reading these
// entries again, each call of a sweep continues where the previous call ended.
func (s *Store) DeleteOldEvents(ctx context.Context, before time.Time, limit int) (int, error) {
	before, err := s.keepQueued(ctx, before)
	if err != nil {
		return 0, err
	}
	var bound domain.EventID
	binary.BigEndian.PutUint64(bound[:8], uint64(before.UnixMilli())<<16)
	s.eventSweep.Lock()
	defer s.eventSweep.Unlock()
	var count int
	var last pgtype.UUID
	err = s.pool.QueryRow(ctx, deleteEvents, uuidOrLowest(s.eventSweep.after), uuid(bound), limit).Scan(&count, &last)
	if err != nil {
		return 0, translate(err)
	}
	s.eventSweep.deleted.Add(int64(count))
	s.eventSweep.after = last.Bytes
	if count < limit {
		s.eventSweep.after = domain.EventID{} // a late transaction may have stored an older event
	}
	return count, nil
}

// commitDelay is the longest time that may pass between the creation of an event and its commit. Real delays are far
// shorter.
const commitDelay = time.Hour

// keepQueued returns the time up to which events may be deleted. It is the given time, or the time that is commitDelay
// before the oldest row in the queue of the audit stream, whichever is earlier.
func (s *Store) keepQueued(ctx context.Context, before time.Time) (time.Time, error) {
	var queued pgtype.Timestamptz
	err := s.pool.QueryRow(ctx, `SELECT (SELECT queued_at FROM event_queue ORDER BY xid, id LIMIT 1)`).Scan(&queued)
	if bound := queued.Time.Add(-commitDelay); queued.Valid && bound.Before(before) {
		return bound, nil
	}
	return before, translate(err)
}

// deleteEvents skips events that another server is deleting.
const deleteEvents = `WITH old AS (
		SELECT id FROM events WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED
	), deleted AS (
		DELETE FROM events e USING old WHERE e.id = old.id RETURNING e.id
	)
	SELECT count(*), (SELECT id FROM deleted ORDER BY id DESC LIMIT 1) FROM deleted`

// eventSweep holds the identifier after which DeleteOldEvents continues, and the number of events that DeleteOldEvents
// has deleted.
type eventSweep struct {
	sync.Mutex // guards after
	after      domain.EventID
	deleted    atomic.Int64 // counted since the store was opened
}

// uuidOrLowest converts an identifier to a statement parameter. Unlike uuid, it converts the zero identifier to the
// lowest UUID, not to NULL.
func uuidOrLowest(id domain.EventID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// EventLogSize reads only the sizes of the files of the table, so it is fast even if there are many events; see
// ports.Janitor. Stats reports the last result.
func (s *Store) EventLogSize(ctx context.Context) (int64, error) {
	var bytes int64
	err := s.pool.QueryRow(ctx, `SELECT pg_total_relation_size('events')`).Scan(&bytes)
	if err == nil {
		s.eventLogBytes.Store(bytes)
	}
	return bytes, translate(err)
}

// keptDeletedKeys is how many rows of swept entries a box keeps. An entry is swept if all its versions were deleted
// permanently. Its row contains the last version number of its key. If the key is written again, its version numbers
// continue after that number. If the row was removed, they continue after the highest version number of all rows that
// were removed from the box.
const keptDeletedKeys = 1000

// DeleteRemovedEntries removes the versions of entries that were deleted before the given time, and marks the entries
// as swept. It then removes the oldest rows of swept entries in the same boxes. It skips entries that are being
// written; see ports.Janitor.
func (s *Store) DeleteRemovedEntries(ctx context.Context, before time.Time, limit int) (int, error) {
	rows, err := s.pool.Query(ctx, sweepEntries, before, limit)
	boxes, err := collect(rows, err, pgx.RowTo[pgtype.UUID])
	if err != nil {
		return 0, err
	}
	touched := make(map[pgtype.UUID]bool)
	for _, box := range boxes {
		if touched[box] {
			continue
		}
		touched[box] = true
		if _, err := s.pool.Exec(ctx, trimSwept, box, keptDeletedKeys); err != nil {
			return len(boxes), translate(err)
		}
	}
	return len(boxes), nil
}

// DeleteOldKeyrings deletes keyrings that boxKeyrings.Add has marked as surplus and that were created before the given
// time. The recipients of these keyrings are deleted too. See ports.Janitor.
func (s *Store) DeleteOldKeyrings(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM box_keyrings WHERE (box_id, sequence) IN
		(SELECT box_id, sequence FROM box_keyrings WHERE surplus AND created_at < $1 LIMIT $2)`, before, limit)
}

// sweepEntries locks the boxes in the order of their identifiers, and then the entries. All transactions use this
// order, so they cannot deadlock. sweepEntries returns the box of each swept entry.
const sweepEntries = `WITH due AS (
		SELECT box_id, key FROM entries WHERE deleted_at < $1 AND NOT swept LIMIT $2
	), locked AS (
		SELECT id FROM boxes WHERE id IN (SELECT box_id FROM due) ORDER BY id FOR NO KEY UPDATE
	), removed AS (
		SELECT e.box_id, e.key, e.slot_bytes * e.slots AS bytes
		FROM locked JOIN due d ON d.box_id = locked.id JOIN entries e ON e.box_id = d.box_id AND e.key = d.key
		WHERE e.deleted_at < $1 AND NOT e.swept FOR UPDATE OF e SKIP LOCKED
	), deleted_versions AS (
		DELETE FROM entry_versions v USING removed r WHERE v.box_id = r.box_id AND v.key = r.key
	), released AS (
		UPDATE boxes b SET reserved_bytes = GREATEST(0, b.reserved_bytes - r.bytes)
			FROM (SELECT box_id, sum(bytes)::bigint AS bytes FROM removed GROUP BY box_id) r WHERE b.id = r.box_id
	)
	UPDATE entries e SET swept = true, slot_bytes = 0, slots = 0, slots_until = 0
		FROM removed r WHERE e.box_id = r.box_id AND e.key = r.key RETURNING e.box_id`

// trimSwept removes the rows of the swept entries of a box. It keeps the rows of the entries that were deleted last.
// The parameter $2 is the number of rows to keep. trimSwept locks the box before it changes version_floor, because a
// transaction that inserts a key reads version_floor under the same lock.
const trimSwept = `WITH box AS (
		SELECT id FROM boxes WHERE id = $1 FOR NO KEY UPDATE
	), doomed AS (
		SELECT e.box_id, e.key, e.version FROM entries e
		WHERE e.box_id = (SELECT id FROM box) AND e.swept
		ORDER BY e.deleted_at DESC OFFSET $2 FOR UPDATE SKIP LOCKED
	), raised AS (
		UPDATE boxes SET version_floor = GREATEST(version_floor, (SELECT max(version) FROM doomed))
		WHERE id = $1 AND EXISTS (SELECT FROM doomed)
	)
	DELETE FROM entries e USING doomed d WHERE e.box_id = d.box_id AND e.key = d.key`

// sweep runs a statement with the parameters before ($1) and limit ($2), and returns the number of affected rows.
func (s *Store) sweep(ctx context.Context, sql string, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return int(tag.RowsAffected()), translate(err)
}
