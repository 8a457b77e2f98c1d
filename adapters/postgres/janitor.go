package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// DeleteEndedSessions removes sessions that ended before that time; see ports.Janitor.
func (s *Store) DeleteEndedSessions(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteEndedFamilies removes ended and revoked families with their pairs; see ports.Janitor.
func (s *Store) DeleteEndedFamilies(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM token_families WHERE id IN
		(SELECT id FROM token_families WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)`, before, limit)
}

// DeleteOldAttempts removes counts that a new attempt would forget; see ports.Janitor.
func (s *Store) DeleteOldAttempts(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM throttle WHERE key IN
		(SELECT key FROM throttle WHERE (last_at < $1 OR last_at IS NULL) AND (blocked_until < $1 OR blocked_until IS NULL)
			LIMIT $2 FOR UPDATE SKIP LOCKED)`, now.Add(-domain.AttemptWindow), limit)
}

// DeleteKnownAddresses removes addresses that are no longer remembered; see ports.Janitor.
func (s *Store) DeleteKnownAddresses(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM known_addresses WHERE key IN (SELECT key FROM known_addresses WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteEndedAPIKeys removes API keys that ended before that time; see ports.Janitor.
func (s *Store) DeleteEndedAPIKeys(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM api_keys WHERE id IN (SELECT id FROM api_keys WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteOldEvents removes events from before that time; see ports.Janitor. It goes by the identifier, which begins with
// the time, since there is no index on the time itself.
func (s *Store) DeleteOldEvents(ctx context.Context, before time.Time, limit int) (int, error) {
	var bound domain.EventID
	binary.BigEndian.PutUint64(bound[:8], uint64(before.UnixMilli())<<16)
	tag, err := s.pool.Exec(ctx,
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)`,
		uuid(bound), limit)
	return int(tag.RowsAffected()), translate(err)
}

// DeleteRemovedEntries removes the versions of entries deleted before that time; see ports.Janitor.
func (s *Store) DeleteRemovedEntries(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `WITH gone AS (
			SELECT box_id, key FROM entries WHERE deleted_at < $1 AND NOT swept LIMIT $2 FOR UPDATE SKIP LOCKED
		), cleared AS (
			DELETE FROM entry_versions v USING gone WHERE v.box_id = gone.box_id AND v.key = gone.key
		) UPDATE entries e SET swept = true FROM gone WHERE e.box_id = gone.box_id AND e.key = gone.key`, before, limit)
}

func (s *Store) sweep(ctx context.Context, sql string, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return int(tag.RowsAffected()), translate(err)
}
