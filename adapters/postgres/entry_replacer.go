package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	replaceBatch = 64
	// largestReplacement bounds, in bytes, the values that are stored together with others: a batch of large ones would
	// keep the others waiting.
	largestReplacement = 64 << 10
)

// replacementColumns are of one row to be stored, in the order of replaceArgs; those of the event come after them.
const replacementColumns = `credential, issued_to, box, box_id, key, permissions, expires, version, sealed_as, key_id, envelope, value, author_id, at, dropped`

var (
	replacementTypes = []string{"uuid", "text", "uuid", "text", "smallint", "timestamptz", "bigint", "bigint", "uuid", "bytea", "bytea", "uuid", "timestamptz", "bigint"}
	replaceSQL       = replaceTexts()
)

// replaceTexts makes the statements, one for each kind of credential. held are the entries of which all that was decided
// upon holds, and which nobody else is writing: they are locked, and the others passed over rather than waited for. Where
// two of a batch want the same entry, only one of them moves it. As in factsTexts the LIMIT takes nothing away.
func replaceTexts() map[domain.CredentialKind]string {
	eventOf := func(table string) string {
		return strings.ReplaceAll(", "+eventColumns, ", ", ", "+table+"event_")
	}
	texts := make(map[domain.CredentialKind]string)
	for kind, at := range lookUps {
		texts[kind] = `WITH held AS (
			SELECT a.* FROM ` + unnest(append(append([]string{credentialType(kind)}, replacementTypes...), eventTypes...)...) + `
				WITH ORDINALITY AS a (` + replacementColumns + eventOf("") + `, n)
			JOIN server_keys k ON k.id = a.key_id AND k.retired_at IS NULL
			JOIN entries e ON e.box_id = a.box_id AND e.key = a.key
			CROSS JOIN LATERAL (SELECT b.id AS box_id, u.is_active, m.is_active AS takes_part, m.permissions, ` + at.expiry + ` AS expires` +
			ofAsker.Replace(at.from+joinAccess+at.where) + ` LIMIT 1) f
			WHERE e.version = a.version - 1 AND e.deleted_at IS NULL AND f.box_id = a.box_id AND f.is_active AND f.takes_part
				AND f.permissions & ` + fmt.Sprint(int(domain.AllPermissions)) + ` = a.permissions AND f.expires IS NOT DISTINCT FROM a.expires
			FOR NO KEY UPDATE OF e SKIP LOCKED
		), moved AS (
			UPDATE entries e SET version = h.version, updated_at = h.at FROM held h WHERE e.box_id = h.box_id AND e.key = h.key RETURNING h.*
		), added AS (
			INSERT INTO entry_versions (box_id, key, version, sealed_as, key_id, envelope, value, author_id, created_at)
				SELECT box_id, key, version, sealed_as, key_id, envelope, value, author_id, at FROM moved
		), dropped AS (
			DELETE FROM entry_versions v USING moved m WHERE v.box_id = m.box_id AND v.key = m.key AND v.version <= m.dropped
		), noted AS (
			INSERT INTO events (` + eventColumns + `) SELECT ` + strings.TrimPrefix(eventOf(""), ", ") + ` FROM moved
		)
		SELECT n FROM moved`
	}
	return texts
}

type replaceCall = call[ports.Replacement, bool]

// Replace stores a version in place of the newest one; see ports.EntryReplacer.
func (s *Store) Replace(ctx context.Context, replacement ports.Replacement) (stored bool, err error) {
	if len(replacement.Version.Sealed.Value) > largestReplacement {
		return false, nil
	}
	stored, err = s.replacements.do(ctx, replacement)
	if errors.Is(err, errRequestEnded) {
		return false, outcomeUnknown(err)
	}
	return stored, err
}

// replaceAll stores a batch in one round trip and one commit. Whatever the database refuses, it refuses all of it, and
// nobody is told so here: those who asked try the ordinary way, where each meets its own refusal.
func (s *Store) replaceAll(ctx context.Context, batch []*replaceCall) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout+endTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Release()
	lost := watchReplication(conn)
	stored, err := sendReplacements(ctx, conn, batch)
	refused, known := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && lost():
		return outcomeUnknown(errNotReplicated)
	case known && isOutage(refused.Code), pgconn.SafeToRetry(err):
		return translate(err)
	case !known && err != nil:
		return outcomeUnknown(err)
	}
	for _, c := range batch {
		c.settle(err == nil && stored[c], nil)
	}
	return nil
}

// sendReplacements returns what was stored, once that is committed.
func sendReplacements(ctx context.Context, conn querier, batch []*replaceCall) (map[*replaceCall]bool, error) {
	parts := make(map[domain.CredentialKind][]*replaceCall, 1)
	for _, c := range batch {
		kind := c.asked.Facts.Access.Caller.Credential.Kind
		parts[kind] = append(parts[kind], c)
	}
	stored := make(map[*replaceCall]bool, len(batch))
	var statements pgx.Batch
	for kind, part := range parts {
		statements.Queue(replaceSQL[kind], replaceArgs(kind, part)...).Query(func(rows pgx.Rows) error {
			numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			for _, n := range numbers {
				stored[part[n-1]] = true
			}
			return err
		})
	}
	return stored, conn.SendBatch(ctx, &statements).Close()
}

func replaceArgs(kind domain.CredentialKind, part []*replaceCall) []any {
	size := len(part)
	credentials, events := newCredentials(kind, size), newEventColumns(size)
	users, boxes, serverKeys, authors := make([]pgtype.UUID, size), make([]pgtype.UUID, size), make([]pgtype.UUID, size), make([]pgtype.UUID, size)
	names, keys := make([]string, size), make([]string, size)
	permissions, expiries, times := make([]int16, size), make([]pgtype.Timestamptz, size), make([]time.Time, size)
	versions, sealedAs, dropped := make([]int64, size), make([]int64, size), make([]int64, size)
	envelopes, values := make([][]byte, size), make([][]byte, size)
	for i, c := range part {
		r := &c.asked
		access, place, sealed := r.Facts.Access, r.Version.Place, r.Version.Sealed
		credentials.add(access.Caller.Credential)
		users[i], boxes[i], serverKeys[i], authors[i] = issuedTo(access.Caller.Credential), uuid(place.Box), uuid(sealed.ServerKey), uuid(r.Version.Author)
		names[i], keys[i] = string(access.Box.Name), string(place.Key)
		permissions[i], expiries[i], times[i] = int16(access.Member.Permissions), timestamp(access.Caller.ExpiresAt), r.At
		versions[i], sealedAs[i], dropped[i] = number(place.Version), number(place.SealedAs), number(place.Version)-int64(r.Keep)
		if r.Keep == 0 {
			dropped[i] = 0
		}
		envelopes[i], values[i] = sealed.Envelope, sealed.Value
		events.add(r.Event)
	}
	return append([]any{credentials.arg(), users, names, boxes, keys, permissions, expiries, versions, sealedAs, serverKeys, envelopes, values, authors,
		times, dropped}, events.args()...)
}
