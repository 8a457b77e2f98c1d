package postgres

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// attempts implements ports.Attempts. The table is named throttle.
type attempts struct{ q querier }

// attemptColumns are the columns that scanAttempts reads.
const attemptColumns = `key, failures, last_at, blocked_until, reported`

// scanAttempts reads attemptColumns.
func scanAttempts(row pgx.CollectableRow) (ports.CounterState, error) {
	var state ports.CounterState
	var key []byte
	var last, blocked pgtype.Timestamptz
	err := row.Scan(&key, &state.Attempts.Failures, &last, &blocked, &state.Attempts.Reported)
	copy(state.Key[:], key)
	state.Attempts.LastAt, state.Attempts.BlockedUntil = timeOf(last), timeOf(blocked)
	return state, err
}

// Lock inserts the missing rows of the counters in the query, and then locks the rows of all these counters in the
// order of their keys. Two transactions that lock the same rows therefore cannot deadlock. If the janitor deletes a row
// after the INSERT and before the SELECT, Lock returns ports.ErrStartOver, and the transaction starts over.
func (r attempts) Lock(ctx context.Context, query ports.AttemptQuery) (ports.AttemptState, error) {
	var batch pgx.Batch
	state := queueLock(&batch, query)
	if query.ReadUser {
		batch.Queue(selectSignIn, string(query.User)).QueryRow(func(row pgx.Row) (err error) {
			state.User, err = scanSignIn(row)
			if errors.Is(err, domain.NotFound) {
				state.User, err = ports.SignIn{}, nil
			}
			return err
		})
	}
	if err := r.q.SendBatch(ctx, &batch).Close(); err != nil {
		return ports.AttemptState{}, translate(err)
	}
	return *state, nil
}

// queueLock adds the statements of Lock to a batch. The returned state is complete after the batch has been closed
// without an error.
func queueLock(batch *pgx.Batch, query ports.AttemptQuery) *ports.AttemptState {
	ordered := slices.SortedFunc(slices.Values(query.Counters),
		func(a, b ports.CounterKey) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	keys := column(ordered, func(c ports.CounterKey) []byte { return c.Key[:] })
	batch.Queue(`INSERT INTO throttle (key, account) SELECT * FROM unnest($1::bytea[], $2::bytea[])
		ON CONFLICT DO NOTHING`, keys, column(ordered, func(c ports.CounterKey) []byte { return digest(c.Account) }))
	return queueCounters(batch, query, keys, ` ORDER BY key FOR UPDATE`)
}

// queueCounters adds to a batch the statements that read counters. The argument lock is empty, or a clause such as FOR
// UPDATE. With such a clause, the batch fails with ports.ErrStartOver if a counter has no row.
func queueCounters(batch *pgx.Batch, query ports.AttemptQuery, keys [][]byte, lock string) *ports.AttemptState {
	state := &ports.AttemptState{}
	batch.Queue(`SELECT `+attemptColumns+` FROM throttle WHERE key = ANY ($1)`+lock, keys).
		Query(func(rows pgx.Rows) error {
			found, err := pgx.CollectRows(rows, scanAttempts)
			if err == nil && lock != "" && len(found) < len(keys) {
				err = ports.ErrStartOver
			}
			byKey := make(map[domain.Digest]domain.Attempts, len(found))
			for _, each := range found {
				byKey[each.Key] = each.Attempts
			}
			state.Counters = column(query.Counters, func(c ports.CounterKey) domain.Attempts { return byKey[c.Key] })
			return err
		})
	if !query.KnownAddress.IsZero() {
		// The statement checks the expiry, because the janitor deletes expired rows later.
		batch.Queue(`SELECT EXISTS (SELECT FROM known_addresses WHERE key = $1 AND expires_at > $2)`,
			query.KnownAddress[:], query.Now).
			QueryRow(func(row pgx.Row) error { return row.Scan(&state.Known) })
	}
	return state
}

// Peek returns zero attempts for a key without a row.
func (r attempts) Peek(ctx context.Context, query ports.AttemptQuery) (ports.AttemptState, error) {
	var batch pgx.Batch
	keys := column(query.Counters, func(c ports.CounterKey) []byte { return c.Key[:] })
	state := queueCounters(&batch, query, keys, ``)
	if err := r.q.SendBatch(ctx, &batch).Close(); err != nil {
		return ports.AttemptState{}, translate(err)
	}
	return *state, nil
}

// Save overwrites the counters unconditionally, so the caller must have locked them with Lock. In a transaction, the
// UPDATE is sent with the commit, or before the next statement.
func (r attempts) Save(ctx context.Context, counters ...ports.CounterState) error {
	type state = ports.CounterState
	var batch pgx.Batch
	batch.Queue(`UPDATE throttle t SET failures = s.failures, last_at = s.last_at, blocked_until = s.blocked_until,
			reported = s.reported, keep_until = s.keep_until
		FROM unnest($1::bytea[], $2::integer[], $3::timestamptz[], $4::timestamptz[], $5::boolean[], $6::timestamptz[])
			s (key, failures, last_at, blocked_until, reported, keep_until)
		WHERE t.key = s.key`,
		column(counters, func(s state) []byte { return s.Key[:] }),
		column(counters, func(s state) int32 { return int32(s.Attempts.Failures) }), //nolint:gosec // counts attempts
		column(counters, func(s state) pgtype.Timestamptz { return timestamp(s.Attempts.LastAt) }),
		column(counters, func(s state) pgtype.Timestamptz { return timestamp(s.Attempts.BlockedUntil) }),
		column(counters, func(s state) bool { return s.Attempts.Reported }),
		column(counters, keepUntil))
	return atCommit(ctx, r.q, &batch, translate)
}

// keepUntil returns the time until which the janitor must keep a counter. If keepUntil returns NULL, the janitor may
// delete the counter when its last attempt is older than domain.AttemptWindow.
func keepUntil(counter ports.CounterState) pgtype.Timestamptz {
	if counter.Keep == 0 || counter.Attempts.LastAt.IsZero() {
		return pgtype.Timestamptz{}
	}
	return timestamp(counter.Attempts.LastAt.Add(counter.Keep))
}

// Forget deletes all rows of the account.
func (r attempts) Forget(ctx context.Context, account domain.Digest) error {
	_, err := r.q.Exec(ctx, `DELETE FROM throttle WHERE account = $1`, account[:])
	return translate(err)
}

// Remember marks an address as known until the given time. This time replaces the stored time of an address that is
// already known. In a transaction, the statement is sent with the commit, as in Save.
func (r attempts) Remember(ctx context.Context, key domain.Digest, until time.Time) error {
	var batch pgx.Batch
	batch.Queue(`INSERT INTO known_addresses (key, expires_at) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET expires_at = EXCLUDED.expires_at`, key[:], until)
	return atCommit(ctx, r.q, &batch, translate)
}

// digest converts a digest to a statement parameter. The zero digest becomes NULL.
func digest(d domain.Digest) []byte {
	if d.IsZero() {
		return nil
	}
	return d[:]
}
