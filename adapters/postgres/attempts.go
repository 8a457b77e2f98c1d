package postgres

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// attempts implements ports.Attempts. The table is named throttle.
type attempts struct{ q querier }

// attemptColumns are the columns of scanAttempts.
const attemptColumns = `failures, last_at, blocked_until, reported`

// scanAttempts reads attemptColumns.
func scanAttempts(row pgx.Row) (domain.Attempts, error) {
	var attempts domain.Attempts
	var last, blocked pgtype.Timestamptz
	err := row.Scan(&attempts.Failures, &last, &blocked, &attempts.Reported)
	attempts.LastAt, attempts.BlockedUntil = timeOf(last), timeOf(blocked)
	return attempts, err
}

// Lock locks the rows in the order of their keys, regardless of the order of the arguments, so that
// two transactions that lock the same rows cannot deadlock.
func (r attempts) Lock(ctx context.Context, keys ...ports.CounterKey) ([]domain.Attempts, error) {
	ordered := slices.Clone(keys)
	slices.SortFunc(ordered, func(a, b ports.CounterKey) int { return bytes.Compare(a.Key[:], b.Key[:]) })
	found := make(map[domain.Digest]domain.Attempts, len(keys))
	for _, key := range ordered {
		attempts, err := r.lock(ctx, key)
		if err != nil {
			return nil, err
		}
		found[key.Key] = attempts
	}
	counts := make([]domain.Attempts, len(keys))
	for i, key := range keys {
		counts[i] = found[key.Key]
	}
	return counts, nil
}

// lock inserts the row if necessary and locks it, in one round trip. The janitor may delete the row
// between the statements; the transaction then starts over.
func (r attempts) lock(ctx context.Context, key ports.CounterKey) (domain.Attempts, error) {
	var attempts domain.Attempts
	batch := &pgx.Batch{}
	batch.Queue(`INSERT INTO throttle (key, account) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		key.Key[:], digest(key.Account))
	batch.Queue(`SELECT `+attemptColumns+` FROM throttle WHERE key = $1 FOR UPDATE`, key.Key[:]).
		QueryRow(func(row pgx.Row) (err error) {
			attempts, err = scanAttempts(row)
			return err
		})
	return attempts, orNotFound(r.q.SendBatch(ctx, batch).Close(), ports.ErrStartOver)
}

// Peek returns zero attempts if the key has no row.
func (r attempts) Peek(ctx context.Context, key domain.Digest) (domain.Attempts, error) {
	attempts, err := scanAttempts(r.q.QueryRow(ctx, `SELECT `+attemptColumns+` FROM throttle WHERE key = $1`, key[:]))
	return attempts, orNotFound(err, nil)
}

// Save relies on the lock that Lock holds: it overwrites the row without a condition.
func (r attempts) Save(ctx context.Context, key domain.Digest, attempts domain.Attempts) error {
	_, err := r.q.Exec(ctx, `UPDATE throttle SET failures = $2, last_at = $3, blocked_until = $4, reported = $5
		WHERE key = $1`,
		key[:], attempts.Failures, timestamp(attempts.LastAt), timestamp(attempts.BlockedUntil), attempts.Reported)
	return translate(err)
}

// Forget deletes all rows of the account.
func (r attempts) Forget(ctx context.Context, account domain.Digest) error {
	_, err := r.q.Exec(ctx, `DELETE FROM throttle WHERE account = $1`, account[:])
	return translate(err)
}

// Knows ignores rows that have expired: the janitor may not have deleted them yet.
func (r attempts) Knows(ctx context.Context, key domain.Digest, now time.Time) (bool, error) {
	var knows bool
	err := r.q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM known_addresses WHERE key = $1 AND expires_at > $2)`,
		key[:], now).Scan(&knows)
	return knows, translate(err)
}

// Remember extends the time of a known address.
func (r attempts) Remember(ctx context.Context, key domain.Digest, until time.Time) error {
	_, err := r.q.Exec(ctx, `INSERT INTO known_addresses (key, expires_at) VALUES ($1, $2)
		ON CONFLICT (key) DO UPDATE SET expires_at = EXCLUDED.expires_at`, key[:], until)
	return translate(err)
}

// digest converts a digest to a parameter; the zero digest becomes NULL.
func digest(d domain.Digest) []byte {
	if d.IsZero() {
		return nil
	}
	return d[:]
}
