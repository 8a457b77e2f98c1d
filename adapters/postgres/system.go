package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// system implements ports.System over the single row of its table.
type system struct{ q querier }

// Lock increments the revision, for the same reason as boxes.Lock.
func (s system) Lock(ctx context.Context) (domain.UserID, error) {
	return s.owner(ctx, `UPDATE system SET revision = revision + 1 RETURNING owner_id`)
}

// Owner reads the owner without a lock.
func (s system) Owner(ctx context.Context) (domain.UserID, error) {
	return s.owner(ctx, `SELECT owner_id FROM system WHERE id = 1`)
}

// owner returns the first column of sql, and the zero UserID for NULL.
func (s system) owner(ctx context.Context, sql string) (domain.UserID, error) {
	var owner pgtype.UUID
	err := s.q.QueryRow(ctx, sql).Scan(&owner)
	return owner.Bytes, translate(err)
}

// SetOwner requires that the caller holds the lock that Lock takes.
func (s system) SetOwner(ctx context.Context, owner domain.UserID) error {
	_, err := s.q.Exec(ctx, `UPDATE system SET owner_id = $1`, uuid(owner))
	return translate(err)
}

// Installation returns the identifier of this installation. The first call stores the proposed identifier. All later
// and concurrent calls return that identifier.
func (s *Store) Installation(ctx context.Context, proposed [16]byte, now time.Time) (string, error) {
	if _, err := s.pool.Exec(ctx,
		`INSERT INTO system (id, installation_id, created_at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`,
		proposed, now); err != nil {
		return "", translate(err)
	}
	var id [16]byte
	err := s.pool.QueryRow(ctx, `SELECT installation_id FROM system WHERE id = 1`).Scan(&id)
	return domain.ID[system](id).String(), translate(err)
}
