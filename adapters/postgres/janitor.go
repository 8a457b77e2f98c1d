package postgres

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// The methods of ports.Janitor delete up to limit rows each. A small limit keeps the locks short.

// DeleteEndedSessions removes sessions that expired before the given time; see ports.Janitor.
func (s *Store) DeleteEndedSessions(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 LIMIT $2)`,
		before, limit)
}

// DeleteEndedFamilies removes families that expired or were revoked before the given time, with their pairs; see
// ports.Janitor.
func (s *Store) DeleteEndedFamilies(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM token_families WHERE id IN
		(SELECT id FROM token_families WHERE expires_at < $1 OR revoked_at < $1 LIMIT $2)`, before, limit)
}

// DeleteOldAttempts removes counts that a new attempt would reset: both the last attempt and the end of the lockout are
// older than domain.AttemptWindow. It skips rows that a sign-in has locked. See ports.Janitor.
func (s *Store) DeleteOldAttempts(ctx context.Context, now time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM throttle WHERE key IN
		(SELECT key FROM throttle
			WHERE (last_at < $1 OR last_at IS NULL) AND (blocked_until < $1 OR blocked_until IS NULL)
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

// DeleteOldEvents removes events older than the given time; see ports.Janitor. It compares the identifier, which begins
// with the time in milliseconds (UUID version 7), because there is no index on the time itself.
func (s *Store) DeleteOldEvents(ctx context.Context, before time.Time, limit int) (int, error) {
	var bound domain.EventID
	binary.BigEndian.PutUint64(bound[:8], uint64(before.UnixMilli())<<16)
	tag, err := s.pool.Exec(ctx,
		`DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id < $1 ORDER BY id LIMIT $2)`,
		uuid(bound), limit)
	return int(tag.RowsAffected()), translate(err)
}

// DeleteRemovedEntries removes the versions of entries that were deleted before the given time, and marks the entries
// as swept. It skips entries that are being written; see ports.Janitor.
func (s *Store) DeleteRemovedEntries(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `WITH removed AS (
			SELECT box_id, key FROM entries WHERE deleted_at < $1 AND NOT swept LIMIT $2 FOR UPDATE SKIP LOCKED
		), deleted_versions AS (
			DELETE FROM entry_versions v USING removed r WHERE v.box_id = r.box_id AND v.key = r.key
		) UPDATE entries e SET swept = true FROM removed r WHERE e.box_id = r.box_id AND e.key = r.key`, before, limit)
}

// DeleteOldKeyrings removes keyrings that Add has marked as surplus, with their recipients; see ports.Janitor.
func (s *Store) DeleteOldKeyrings(ctx context.Context, before time.Time, limit int) (int, error) {
	return s.sweep(ctx, `DELETE FROM box_keyrings WHERE (box_id, sequence) IN
		(SELECT box_id, sequence FROM box_keyrings WHERE surplus AND created_at < $1 LIMIT $2)`, before, limit)
}

// sweep runs a statement with $1 before and $2 limit, and returns the number of rows.
func (s *Store) sweep(ctx context.Context, sql string, before time.Time, limit int) (int, error) {
	tag, err := s.pool.Exec(ctx, sql, before, limit)
	return int(tag.RowsAffected()), translate(err)
}
