package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
)

// tokenFamilies implements ports.TokenFamilies. The tables contain only keyed digests of tokens, not the tokens.
type tokenFamilies struct{ q querier }

const (
	// insertFamily inserts no row if one of the server keys $1 and $2 was retired.
	insertFamily = `INSERT INTO token_families (key_id, token_key_id, id, user_id, epoch, created_at, expires_at)
		SELECT $1, $2, $3, $4, $5, $6, $7` + keyInUse + `
			AND EXISTS (SELECT FROM server_keys WHERE id = $2 AND retired_at IS NULL)`
	insertPair = `INSERT INTO token_pairs (id, family_id, access_hash, refresh_hash, access_expires_at, created_at)
		VALUES ($1, $2, $3, $4, $5, $6)`
)

// familyArgs returns all parameters of insertFamily except $1.
func familyArgs(family domain.TokenFamily) []any {
	return []any{uuid(family.Keys.Token), uuid(family.ID), uuid(family.User), family.Epoch, family.CreatedAt,
		family.ExpiresAt}
}

// pairArgs returns the parameters of insertPair.
func pairArgs(pair domain.TokenPair) []any {
	return []any{uuid(pair.ID), uuid(pair.Family), pair.Access[:], pair.Refresh[:], pair.AccessExpiresAt,
		pair.CreatedAt}
}

// Add returns domain.ErrWrongCredentials if the user was deleted after the credentials had been
// checked.
func (r tokenFamilies) Add(ctx context.Context, family domain.TokenFamily) error {
	err := addUnderKey(ctx, r.q, insertFamily, family.Keys.Session, familyArgs(family)...)
	if sqlstate.Of(err) == sqlstate.ForeignKeyViolation {
		return domain.ErrWrongCredentials
	}
	return translate(err)
}

// AddPair requires that the same transaction has locked the family with LockByRefresh, or has inserted the family.
func (r tokenFamilies) AddPair(ctx context.Context, pair domain.TokenPair) error {
	_, err := r.q.Exec(ctx, insertPair, pairArgs(pair)...)
	return translate(err)
}

// LockByRefresh increments the revision of the family before it reads the pair. At every isolation level, it therefore
// sees the changes of each transaction that locked the family earlier.
func (r tokenFamilies) LockByRefresh(ctx context.Context, user domain.UserID,
	refresh domain.Digest) (domain.TokenFamily, domain.TokenPair, error) {
	family := domain.TokenFamily{User: user}
	var id [16]byte
	var session, token pgtype.UUID
	var revoked pgtype.Timestamptz
	err := r.q.QueryRow(ctx, `UPDATE token_families SET revision = revision + 1
		WHERE id = (SELECT family_id FROM token_pairs WHERE refresh_hash = $1) AND user_id = $2
		RETURNING id, key_id, token_key_id, epoch, created_at, expires_at, revoked_at`, refresh[:], uuid(user)).
		Scan(&id, &session, &token, &family.Epoch, &family.CreatedAt, &family.ExpiresAt, &revoked)
	if err != nil {
		return domain.TokenFamily{}, domain.TokenPair{}, orNotFound(err, domain.NotFound)
	}
	family.ID, family.RevokedAt = id, timeOf(revoked)
	family.Keys = domain.TokenKeys{Session: session.Bytes, Token: token.Bytes}
	family.CreatedAt, family.ExpiresAt = family.CreatedAt.UTC(), family.ExpiresAt.UTC()
	pair := domain.TokenPair{Family: family.ID, Refresh: refresh}
	var spent pgtype.Timestamptz
	err = r.q.QueryRow(ctx, `SELECT id, created_at, access_expires_at, spent_at FROM token_pairs
		WHERE refresh_hash = $1`, refresh[:]).
		Scan(&id, &pair.CreatedAt, &pair.AccessExpiresAt, &spent)
	pair.ID, pair.SpentAt = id, timeOf(spent)
	pair.CreatedAt, pair.AccessExpiresAt = pair.CreatedAt.UTC(), pair.AccessExpiresAt.UTC()
	return family, pair, orNotFound(err, domain.NotFound)
}

// Spend keeps the row, so Lockbox can detect a second use of the refresh token.
func (r tokenFamilies) Spend(ctx context.Context, pair domain.CredentialID, now time.Time) error {
	_, err := r.q.Exec(ctx, `UPDATE token_pairs SET spent_at = $2 WHERE id = $1`, uuid(pair), now)
	return translate(err)
}

// Revoke does not change the time of an earlier revocation.
func (r tokenFamilies) Revoke(ctx context.Context, family domain.FamilyID, now time.Time) error {
	_, err := r.q.Exec(ctx, `UPDATE token_families SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`,
		uuid(family), now)
	return translate(err)
}
