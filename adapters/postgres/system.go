package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// system implements ports.System. The table system has a single row.
type system struct{ q querier }

// Lock increments the revision, for the same reason as boxes.Lock.
func (s system) Lock(ctx context.Context) (domain.UserID, error) {
	return s.owner(ctx, `UPDATE system SET revision = revision + 1 RETURNING owner_id`)
}

// Owner reads the owner without a lock.
func (s system) Owner(ctx context.Context) (domain.UserID, error) {
	return s.owner(ctx, `SELECT owner_id FROM system WHERE id = 1`)
}

// owner runs a statement that returns the owner. It returns the zero UserID if there is no owner.
func (s system) owner(ctx context.Context, sql string) (domain.UserID, error) {
	var owner pgtype.UUID
	err := s.q.QueryRow(ctx, sql).Scan(&owner)
	return owner.Bytes, translate(err)
}

// SetOwner requires that the caller has locked the row with Lock.
func (s system) SetOwner(ctx context.Context, owner domain.UserID) error {
	_, err := s.q.Exec(ctx, `UPDATE system SET owner_id = $1`, uuid(owner))
	return translate(err)
}

// Installation returns the identifier of this installation. If the database has no identifier yet, Installation stores
// the proposed identifier. All calls return the stored identifier, even if several servers call Installation at the
// same time.
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
