package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
)

// boxes implements ports.Boxes.
type boxes struct{ q querier }

// Add relies on the unique constraint on the name, because two requests may create the same box concurrently. Without
// ON CONFLICT, PostgreSQL would report a unique violation and write the name to its log.
func (r boxes) Add(ctx context.Context, box domain.Box) error {
	tag, err := r.q.Exec(ctx, `INSERT INTO boxes (id, name, owner_id, kdf_salt, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING`,
		uuid(box.ID), string(box.Name), uuid(box.Owner), box.Salt[:], box.CreatedAt, box.UpdatedAt)
	if err == nil && tag.RowsAffected() == 0 {
		return domain.ErrBoxExists
	}
	return translate(err)
}

// Lock increments the revision. Because of this UPDATE, two transactions that lock the same box take effect one after
// the other at every isolation level. With SELECT FOR UPDATE, the second transaction could continue under REPEATABLE
// READ, but its counts would miss the rows that the first transaction added.
func (r boxes) Lock(ctx context.Context, id domain.BoxID) error {
	tag, err := r.q.Exec(ctx, `UPDATE boxes SET revision = revision + 1 WHERE id = $1`, uuid(id))
	if err == nil && tag.RowsAffected() == 0 {
		return domain.ErrBoxNotFound
	}
	return translate(err)
}

// Save stores only the owner. The name and the salt of a box never change.
func (r boxes) Save(ctx context.Context, box domain.Box) error {
	_, err := r.q.Exec(ctx, `UPDATE boxes SET owner_id = $2, updated_at = $3 WHERE id = $1`,
		uuid(box.ID), uuid(box.Owner), box.UpdatedAt)
	return translate(err)
}

// Offer returns the zero offer if the box has no offer, or if the user to whom the box was offered was deleted.
func (r boxes) Offer(ctx context.Context, id domain.BoxID) (domain.BoxOffer, error) {
	var to [16]byte
	var name string
	var expires pgtype.Timestamptz
	err := r.q.QueryRow(ctx, `SELECT u.id, u.name, b.offer_expires_at FROM boxes b JOIN users u ON u.id = b.offered_to
		WHERE b.id = $1`, uuid(id)).Scan(&to, &name, &expires)
	if err != nil {
		return domain.BoxOffer{}, orNotFound(err, nil)
	}
	return domain.BoxOffer{To: to, ToName: domain.UserName(name), ExpiresAt: timeOf(expires)}, nil
}

// SaveOffer requires that the caller has locked the box with Lock.
func (r boxes) SaveOffer(ctx context.Context, id domain.BoxID, offer domain.BoxOffer) error {
	_, err := r.q.Exec(ctx, `UPDATE boxes SET offered_to = $2, offer_expires_at = $3 WHERE id = $1`,
		uuid(id), uuid(offer.To), timestamp(offer.ExpiresAt))
	if sqlstate.Of(err) == sqlstate.ForeignKeyViolation {
		return domain.ErrUserNotFound // the user was deleted concurrently
	}
	return translate(err)
}

// TouchOf locks the boxes in the order of their identifiers. Two concurrent calls therefore cannot deadlock.
func (r boxes) TouchOf(ctx context.Context, user domain.UserID, now time.Time) error {
	_, err := r.q.Exec(ctx, `WITH touched AS (SELECT b.id FROM boxes b JOIN box_users m ON m.box_id = b.id
			WHERE m.user_id = $1 ORDER BY b.id FOR NO KEY UPDATE OF b)
		UPDATE boxes b SET updated_at = $2 FROM touched WHERE b.id = touched.id`, uuid(user), now)
	return translate(err)
}

// Delete also removes the members, entries and versions of the box, because their foreign keys are declared ON DELETE
// CASCADE.
func (r boxes) Delete(ctx context.Context, id domain.BoxID) error {
	if err := allowLargeDeletion(ctx, r.q); err != nil {
		return err
	}
	_, err := r.q.Exec(ctx, `DELETE FROM boxes WHERE id = $1`, uuid(id))
	return translate(err)
}

// allowLargeDeletion raises the statement timeout to LargeDeletion for the rest of the transaction. A full box has many
// rows, so its deletion takes long.
func allowLargeDeletion(ctx context.Context, q querier) error {
	if t, inside := q.(*transaction); inside {
		t.statements.limit = max(t.statements.limit, statementLimit(LargeDeletion))
	}
	_, err := q.Exec(ctx, `SET LOCAL statement_timeout = `+milliseconds(LargeDeletion))
	return translate(err)
}

// NamesOf sorts the names by their bytes. All lists of names have this order.
func (r boxes) NamesOf(ctx context.Context, user domain.UserID) ([]domain.BoxName, error) {
	return names[domain.BoxName](r.q.Query(ctx, `SELECT b.name FROM box_users m JOIN boxes b ON b.id = m.box_id
		WHERE m.user_id = $1 AND m.is_active ORDER BY b.name`, uuid(user)))
}

func (r boxes) OwnedBy(ctx context.Context, user domain.UserID) ([]domain.BoxName, error) {
	return names[domain.BoxName](r.q.Query(ctx, `SELECT name FROM boxes WHERE owner_id = $1 ORDER BY name`, uuid(user)))
}

// Describe returns the owner of the box and the time of the last update of the box or its entries. For a box without
// entries, the subquery returns NULL, and GREATEST ignores it.
func (r boxes) Describe(ctx context.Context, id domain.BoxID) (domain.UserName, time.Time, error) {
	var owner string
	var updated time.Time
	err := r.q.QueryRow(ctx, `SELECT u.name, GREATEST(b.updated_at,
			(SELECT max(updated_at) FROM entries WHERE box_id = b.id AND deleted_at IS NULL))
		FROM boxes b JOIN users u ON u.id = b.owner_id WHERE b.id = $1`, uuid(id)).Scan(&owner, &updated)
	return domain.UserName(owner), updated.UTC(), orNotFound(err, domain.ErrBoxNotFound)
}

// boxUsers implements ports.BoxUsers, which stores the members of boxes.
type boxUsers struct{ q querier }

// selectBoxUsers is a SELECT statement that ends with WHERE. Each method appends its condition.
const selectBoxUsers = `SELECT m.box_id, m.user_id, u.name, m.role, m.is_active, m.permissions
	FROM box_users m JOIN users u ON u.id = m.user_id WHERE `

// collectBoxUser is scanBoxUser with a parameter of type pgx.CollectableRow, for the function collect.
func collectBoxUser(row pgx.CollectableRow) (domain.BoxUser, error) { return scanBoxUser(row) }

func scanBoxUser(row pgx.Row) (domain.BoxUser, error) {
	var member domain.BoxUser
	var box, user [16]byte
	var name, role string
	var permissions int16
	if err := row.Scan(&box, &user, &name, &role, &member.Active, &permissions); err != nil {
		return domain.BoxUser{}, err
	}
	member.Box, member.User, member.Name = box, user, domain.UserName(name)
	member.Permissions = permissionsOf(permissions)
	var err error
	member.Role, err = domain.ParseBoxRole(role)
	return member, err
}

// Add returns domain.ErrBoxUserExists if the user is already a member of the box, and domain.ErrUserNotFound if the
// user no longer exists.
func (r boxUsers) Add(ctx context.Context, user domain.BoxUser) error {
	_, err := r.q.Exec(ctx, `INSERT INTO box_users (box_id, user_id, role, is_active, permissions)
		VALUES ($1, $2, $3, $4, $5)`,
		uuid(user.Box), uuid(user.User), user.Role.String(), user.Active, int16(user.Permissions))
	switch {
	case violates(err, sqlstate.UniqueViolation, "box_users_pkey"):
		return domain.ErrBoxUserExists
	case violates(err, sqlstate.ForeignKeyViolation, "box_users_user_id_fkey"):
		return domain.ErrUserNotFound // the user was deleted concurrently
	}
	return translate(err)
}

func (r boxUsers) Get(ctx context.Context, box domain.BoxID, name domain.UserName) (domain.BoxUser, error) {
	member, err := scanBoxUser(r.q.QueryRow(ctx, selectBoxUsers+`m.box_id = $1 AND u.name = $2`,
		uuid(box), string(name)))
	return member, orNotFound(err, domain.ErrBoxUserNotFound)
}

func (r boxUsers) List(ctx context.Context, box domain.BoxID) ([]domain.BoxUser, error) {
	rows, err := r.q.Query(ctx, selectBoxUsers+`m.box_id = $1 ORDER BY u.name`, uuid(box))
	return collect(rows, err, collectBoxUser)
}

// Count is exact only if the caller has locked the box with Boxes.Lock.
func (r boxUsers) Count(ctx context.Context, box domain.BoxID) (int, error) {
	var count int
	err := r.q.QueryRow(ctx, `SELECT count(*) FROM box_users WHERE box_id = $1`, uuid(box)).Scan(&count)
	return count, translate(err)
}

func (r boxUsers) Save(ctx context.Context, user domain.BoxUser) error {
	_, err := r.q.Exec(ctx, `UPDATE box_users SET role = $3, is_active = $4, permissions = $5
		WHERE box_id = $1 AND user_id = $2`,
		uuid(user.Box), uuid(user.User), user.Role.String(), user.Active, int16(user.Permissions))
	return translate(err)
}

func (r boxUsers) Remove(ctx context.Context, box domain.BoxID, user domain.UserID) error {
	_, err := r.q.Exec(ctx, `DELETE FROM box_users WHERE box_id = $1 AND user_id = $2`, uuid(box), uuid(user))
	return translate(err)
}
