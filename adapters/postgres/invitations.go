package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// invitations implements ports.Invitations.
type invitations struct{ q querier }

// invitationColumns are columns of the tables invitations (alias i) and users (alias u). The table users supplies the
// name of the inviter.
const invitationColumns = `i.id, i.name, i.spelling, i.role, i.inviter_id, u.name, i.proof, i.key_id,
	i.created_at, i.expires_at`

// selectInvitation is a SELECT statement. Each method appends a WHERE clause.
const selectInvitation = `SELECT ` + invitationColumns + ` FROM invitations i JOIN users u ON u.id = i.inviter_id`

// scanInvitation reads invitationColumns. It returns domain.ErrInvitationNotFound if there is no row.
func scanInvitation(row pgx.Row) (domain.Invitation, error) {
	var invitation domain.Invitation
	var id, inviter [16]byte
	var name, role, inviterName string
	var proof []byte
	var key pgtype.UUID
	err := row.Scan(&id, &name, &invitation.Spelling, &role, &inviter, &inviterName, &proof, &key,
		&invitation.CreatedAt, &invitation.ExpiresAt)
	if err != nil {
		return domain.Invitation{}, orNotFound(err, domain.ErrInvitationNotFound)
	}
	invitation.ID, invitation.Name = id, domain.UserName(name)
	invitation.Inviter, invitation.InviterName = inviter, domain.UserName(inviterName)
	copy(invitation.Proof[:], proof)
	invitation.SignedBy = key.Bytes
	invitation.CreatedAt, invitation.ExpiresAt = invitation.CreatedAt.UTC(), invitation.ExpiresAt.UTC()
	invitation.Role, err = domain.ParseRole(role)
	return invitation, err
}

// Add requires that the caller has locked the system row. Without this lock, Add could return domain.ErrBusy for two
// concurrent invitations with the same name. Without ON CONFLICT, PostgreSQL would report a unique violation and write
// the name to its log.
func (r invitations) Add(ctx context.Context, invitation domain.Invitation) error {
	err := addUnderKey(ctx, r.q, `INSERT INTO invitations
			(key_id, id, name, spelling, role, inviter_id, proof, created_at, expires_at)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9`+keyInUse+` ON CONFLICT (name) DO NOTHING`, invitation.SignedBy,
		uuid(invitation.ID), string(invitation.Name), invitation.Spelling, invitation.Role.String(),
		uuid(invitation.Inviter), invitation.Proof[:], invitation.CreatedAt, invitation.ExpiresAt)
	if errors.Is(err, ports.ErrStaleServerKey) {
		return r.whyNotAdded(ctx, invitation.Name)
	}
	return translate(err)
}

// whyNotAdded returns ErrBusy if an invitation for the name exists, and ports.ErrStaleServerKey otherwise.
func (r invitations) whyNotAdded(ctx context.Context, name domain.UserName) error {
	taken := false
	err := r.q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM invitations WHERE name = $1)`, string(name)).Scan(&taken)
	switch {
	case err != nil:
		return translate(err)
	case taken:
		return domain.ErrBusy
	}
	return ports.ErrStaleServerKey
}

func (r invitations) Get(ctx context.Context, id domain.InvitationID) (domain.Invitation, error) {
	return scanInvitation(r.q.QueryRow(ctx, selectInvitation+` WHERE i.id = $1`, uuid(id)))
}

func (r invitations) List(ctx context.Context, now time.Time) ([]domain.Invitation, error) {
	rows, err := r.q.Query(ctx, selectInvitation+` WHERE i.expires_at > $1 ORDER BY i.name`, now)
	return collect(rows, err, func(row pgx.CollectableRow) (domain.Invitation, error) { return scanInvitation(row) })
}

func (r invitations) Count(ctx context.Context) (count int, err error) {
	err = r.q.QueryRow(ctx, `SELECT count(*) FROM invitations`).Scan(&count)
	return count, translate(err)
}

// Delete reports whether it has deleted the row. If a concurrent transaction deletes the row first, Delete waits for
// that transaction and returns false.
func (r invitations) Delete(ctx context.Context, id domain.InvitationID) (bool, error) {
	tag, err := r.q.Exec(ctx, `DELETE FROM invitations WHERE id = $1`, uuid(id))
	return tag.RowsAffected() > 0, translate(err)
}

func (r invitations) DeleteByName(ctx context.Context, name domain.UserName) (domain.Invitation, error) {
	deleted, err := scanInvitation(r.q.QueryRow(ctx, `DELETE FROM invitations i USING users u
		WHERE i.name = $1 AND u.id = i.inviter_id RETURNING `+invitationColumns, string(name)))
	if errors.Is(err, domain.NotFound) {
		return domain.Invitation{}, nil
	}
	return deleted, err
}
