package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// signIns implements ports.SignIns.
type signIns struct{ q querier }

// Open sends all statements together, so all of them run even if one changes no row. This is harmless: Open then
// returns an error, and the caller rolls back. The statements lock rows in the usual order, which is the user, the code
// and the counters.
func (r signIns) Open(ctx context.Context, in ports.OpenedSignIn) (ports.AttemptState, error) {
	var batch pgx.Batch
	var refused error
	// queue adds a statement that must change a row. Its first argument is the error that Open returns if the statement
	// changes no row. If several statements change no row, Open returns the error of the first of them.
	queue := func(otherwise error, sql string, args ...any) {
		batch.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
			if tag.RowsAffected() == 0 && refused == nil {
				refused = otherwise
			}
			return nil
		})
	}
	if next := in.Rehashed.Next; len(next.Sealed) > 0 {
		batch.Queue(`UPDATE users SET password_key_id = $1, password = $2 WHERE id = $3 AND password = $4
			AND EXISTS (SELECT FROM server_keys WHERE id = $1 AND retired_at IS NULL)`,
			uuid(next.ServerKey), next.Sealed, uuid(next.User), in.Rehashed.Was.Sealed)
	}
	queueUsedCode(queue, in)
	if in.Session != nil {
		queue(ports.ErrStaleServerKey, insertSession,
			append([]any{uuid(in.Session.SignedBy)}, sessionArgs(*in.Session)...)...)
	}
	if in.Family != nil {
		queue(ports.ErrStaleServerKey, insertFamily,
			append([]any{uuid(in.Family.Keys.Session)}, familyArgs(*in.Family)...)...)
		batch.Queue(insertPair, pairArgs(in.Pair)...)
	}
	state := queueLock(&batch, ports.AttemptQuery{Counters: in.Counters})
	err := r.q.SendBatch(ctx, &batch).Close()
	switch {
	case refused != nil: // a later statement may have failed as a consequence
		return ports.AttemptState{}, refused
	case sqlstate.Of(err) == sqlstate.ForeignKeyViolation:
		return ports.AttemptState{}, domain.ErrWrongCredentials // the user was deleted concurrently
	}
	return *state, translate(err)
}

// queueUsedCode adds the statement that marks a code as used.
func queueUsedCode(queue func(otherwise error, sql string, args ...any), in ports.OpenedSignIn) {
	switch {
	case in.Code.ID.IsZero():
	case in.Code.Recovery.IsZero():
		queue(ports.ErrCodeUsed, acceptStep, uuid(in.Code.ID), in.Code.Step, in.At)
	default:
		queue(ports.ErrCodeUsed, spendRecovery, uuid(in.Code.ID), in.Code.Recovery[:])
	}
}
