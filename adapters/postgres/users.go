package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// users implements ports.Users.
type users struct{ q querier }

// userColumns are columns of the table users, to which a statement must give the alias u. The last column is true if
// the user is the owner of the installation.
const userColumns = `u.id, u.name, COALESCE(u.spelling, u.name), u.role, u.group_name, u.is_active, u.session_epoch,
	u.created_at, u.updated_at,
	COALESCE(u.id = (SELECT owner_id FROM system WHERE id = 1), false)`

// scanUser reads userColumns. The argument more contains the targets for any further columns of the row. scanUser
// returns domain.ErrUserNotFound if there is no row.
func scanUser(row pgx.Row, more ...any) (domain.User, error) {
	var user domain.User
	var id [16]byte
	var name, role string
	var group pgtype.Text
	targets := append([]any{&id, &name, &user.Spelling, &role, &group, &user.Active, &user.SessionEpoch,
		&user.CreatedAt, &user.UpdatedAt, &user.Owner}, more...)
	if err := row.Scan(targets...); err != nil {
		return domain.User{}, orNotFound(err, domain.ErrUserNotFound)
	}
	user.ID, user.Name = id, domain.UserName(name)
	user.CreatedAt, user.UpdatedAt = user.CreatedAt.UTC(), user.UpdatedAt.UTC()
	var err error
	if user.Role, err = domain.ParseRole(role); err != nil {
		return user, err
	}
	user.Group, err = groupOf(group, user.Owner)
	return user, err
}

// groupOf returns the group of a user. The database does not contain the group of the owner, which is always
// GroupOwner.
func groupOf(stored pgtype.Text, owner bool) (domain.Group, error) {
	switch {
	case owner:
		return domain.GroupOwner, nil
	case !stored.Valid:
		return domain.Group{}, nil
	default:
		return domain.ParseGroup(stored.String)
	}
}

// storedGroup converts a group to a parameter. The parameter is NULL for a user without a group, and for the owner.
func storedGroup(user domain.User) pgtype.Text {
	stored := user.Group != domain.Group{} && user.Group != domain.GroupOwner
	return pgtype.Text{String: user.Group.String(), Valid: stored}
}

// keyInUse is the WHERE clause of an INSERT … SELECT. The new row is sealed or signed under the server key $1. If this
// key was retired, the statement inserts no row.
const keyInUse = ` WHERE EXISTS (SELECT FROM server_keys WHERE id = $1 AND retired_at IS NULL)`

// addUnderKey runs an INSERT with the condition keyInUse, and returns ports.ErrStaleServerKey if
// the key was retired.
func addUnderKey(ctx context.Context, q querier, sql string, key domain.ServerKeyID, args ...any) error {
	tag, err := q.Exec(ctx, sql, append([]any{uuid(key)}, args...)...)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return ports.ErrStaleServerKey
	}
	return nil
}

// Add inserts a user without a password if the sealed password is empty. In this case, no server key is needed. Without
// ON CONFLICT, PostgreSQL would report a unique violation and write the name to its log. The name may be a password
// that was typed into the wrong field, and passwords must not reach the log.
func (r users) Add(ctx context.Context, user domain.User, password ports.SealedPassword) error {
	guard := keyInUse
	if len(password.Sealed) == 0 {
		guard = `` // without a password, nothing is sealed
	}
	err := addUnderKey(ctx, r.q, `INSERT INTO users
			(password_key_id, id, name, spelling, role, group_name, is_active, session_epoch, password,
				created_at, updated_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11`+guard+` ON CONFLICT (name) DO NOTHING`, password.ServerKey,
		uuid(user.ID), string(user.Name), user.Spelling, user.Role.String(), storedGroup(user), user.Active,
		user.SessionEpoch, password.Sealed, user.CreatedAt, user.UpdatedAt)
	if errors.Is(err, ports.ErrStaleServerKey) {
		return r.whyNotAdded(ctx, user.Name)
	}
	return translate(err)
}

// whyNotAdded returns ErrUserExists if the name is taken, and ports.ErrStaleServerKey otherwise.
func (r users) whyNotAdded(ctx context.Context, name domain.UserName) error {
	taken := false
	err := r.q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM users WHERE name = $1)`, string(name)).Scan(&taken)
	switch {
	case err != nil:
		return translate(err)
	case taken:
		return domain.ErrUserExists
	}
	return ports.ErrStaleServerKey
}

// Lock increments the revision, for the same reason as boxes.Lock.
func (r users) Lock(ctx context.Context, name domain.UserName) (domain.User, error) {
	return scanUser(r.q.QueryRow(ctx,
		`UPDATE users u SET revision = revision + 1 WHERE name = $1 RETURNING `+userColumns, string(name)))
}

// LockToDelete takes the strongest lock on the row and then changes the row. In the opposite order, the lock would
// apply only to the new version of the row. Transactions that still use the old version would then wait, even with SKIP
// LOCKED.
func (r users) LockToDelete(ctx context.Context, name domain.UserName) (domain.User, error) {
	if _, err := r.q.Exec(ctx, `SELECT FROM users WHERE name = $1 FOR UPDATE`, string(name)); err != nil {
		return domain.User{}, translate(err)
	}
	return r.Lock(ctx, name)
}

func (r users) Get(ctx context.Context, name domain.UserName) (domain.User, error) {
	return scanUser(r.q.QueryRow(ctx, `SELECT `+userColumns+` FROM users u WHERE name = $1`, string(name)))
}

func (r users) ByID(ctx context.Context, id domain.UserID) (domain.User, error) {
	return scanUser(r.q.QueryRow(ctx, `SELECT `+userColumns+` FROM users u WHERE id = $1`, uuid(id)))
}

// selectSignIn is the statement of ForSignIn.
const selectSignIn = `SELECT ` + userColumns + `, u.password_key_id, u.password, ` + totpColumns + `
	FROM users u LEFT JOIN one_time_codes t ON t.user_id = u.id AND NOT t.pending WHERE u.name = $1`

// scanSignIn reads the row of selectSignIn. It returns domain.ErrUserNotFound if there is no row.
func scanSignIn(row pgx.Row) (ports.SignIn, error) {
	var found ports.SignIn
	var key pgtype.UUID
	var code totpRow
	user, err := scanUser(row, append([]any{&key, &found.Password.Sealed}, code.targets()...)...)
	found.User, found.Code = user, code.toSecret()
	found.Password.User, found.Password.ServerKey = user.ID, key.Bytes
	return found, err
}

// ForSignIn reads the user, the password and the TOTP secret in one statement.
func (r users) ForSignIn(ctx context.Context, name domain.UserName) (ports.SignIn, error) {
	return scanSignIn(r.q.QueryRow(ctx, selectSignIn, string(name)))
}

// List sorts users by the time of creation. If two users have the same time, it sorts them by identifier.
func (r users) List(ctx context.Context) ([]domain.User, error) {
	rows, err := r.q.Query(ctx, `SELECT `+userColumns+` FROM users u ORDER BY u.created_at, u.id`)
	return collect(rows, err, func(row pgx.CollectableRow) (domain.User, error) { return scanUser(row) })
}

// Names sorts the names by their bytes.
func (r users) Names(ctx context.Context) ([]domain.UserName, error) {
	return names[domain.UserName](r.q.Query(ctx, `SELECT name FROM users ORDER BY name`))
}

// Save overwrites the row unconditionally, so the caller must have locked the user with Lock.
func (r users) Save(ctx context.Context, user domain.User) error {
	_, err := r.q.Exec(ctx, `UPDATE users SET role = $2, group_name = $3, is_active = $4, session_epoch = $5,
		updated_at = $6 WHERE id = $1`,
		uuid(user.ID), user.Role.String(), storedGroup(user), user.Active, user.SessionEpoch, user.UpdatedAt)
	return translate(err)
}

// SetPassword stores the new password only if the server key has not been retired and the old password has not changed.
// One statement checks both conditions and stores the password.
func (r users) SetPassword(ctx context.Context, was, password ports.SealedPassword) error {
	var keyLive, updated bool
	err := r.q.QueryRow(ctx, `WITH live AS (SELECT FROM server_keys WHERE id = $1 AND retired_at IS NULL),
		updated AS (UPDATE users SET password_key_id = $1, password = $2
			WHERE id = $3 AND password IS NOT DISTINCT FROM $4 AND EXISTS (SELECT FROM live) RETURNING id)
		SELECT EXISTS (SELECT FROM live), EXISTS (SELECT FROM updated)`,
		uuid(password.ServerKey), password.Sealed, uuid(was.User), was.Sealed).Scan(&keyLive, &updated)
	switch {
	case err != nil:
		return translate(err)
	case !keyLive:
		return ports.ErrStaleServerKey
	case !updated:
		return domain.ErrPasswordChanged
	}
	return nil
}

// Delete relies on the foreign keys. ON DELETE CASCADE deletes the rows that belong to the user. ON DELETE SET NULL
// clears the author of the versions that the user wrote, including versions that are being written concurrently.
func (r users) Delete(ctx context.Context, id domain.UserID) error {
	if err := allowLargeDeletion(ctx, r.q); err != nil {
		return err
	}
	_, err := r.q.Exec(ctx, `DELETE FROM users WHERE id = $1`, uuid(id))
	return translate(err)
}

// Permissions returns 0 for a user who is not an active member of any box.
func (r users) Permissions(ctx context.Context, id domain.UserID) (domain.Permissions, error) {
	var union int16
	err := r.q.QueryRow(ctx, `SELECT COALESCE(bit_or(permissions), 0::smallint) FROM box_users
		WHERE user_id = $1 AND is_active`, uuid(id)).Scan(&union)
	return permissionsOf(union), translate(err)
}
