package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const replaceBatch = 64

// replacementColumns are of one row to be stored, as replaceArrays has them; those of the event come after them.
const replacementColumns = `credential, issued_to, box, box_id, key, permissions, expires, version, sealed_as, key_id, envelope, value, author_id, at, drop_to`

// replacementTypes are those of the columns from issued_to on: that of credential depends on its kind.
var replacementTypes = []string{"uuid", "text", "uuid", "text", "smallint", "timestamptz", "bigint", "bigint", "uuid",
	"bytea", "bytea", "uuid", "timestamptz", "bigint"}

var replaceSQL = replaceTexts()

// replaceTexts makes the statements, one for each kind of credential. held are the entries of which all that was decided
// upon holds, and which nobody else is writing: they are locked, and the others passed over. Nothing is waited for, since
// many would wait along: an author who is being deleted is passed over too, whom the foreign key would wait for, and so are
// old versions that somebody holds, which the next write drops. Where two of a batch want the same entry, only one of them
// moves it. LIMIT 1 is as in factsTexts.
func replaceTexts() map[domain.CredentialKind]string {
	eventOf := func(table string) string {
		return strings.ReplaceAll(", "+eventColumns, ", ", ", "+table+"event_")
	}
	texts := make(map[domain.CredentialKind]string)
	for kind, at := range lookUps {
		texts[kind] = `WITH held AS (
			SELECT a.* FROM ` + unnest(slices.Concat([]string{at.arg}, replacementTypes, eventTypes)...) + `
				WITH ORDINALITY AS a (` + replacementColumns + eventOf("") + `, n)
			CROSS JOIN LATERAL (SELECT id FROM server_keys WHERE id = a.key_id AND retired_at IS NULL LIMIT 1) k
			CROSS JOIN LATERAL (SELECT b.id AS box_id, u.is_active, m.is_active AS takes_part, m.permissions, ` +
			at.expiry + ` AS expires` +
			ofAsker.Replace(at.from+joinAccess+at.where) + ` LIMIT 1) f
			CROSS JOIN LATERAL (SELECT id FROM users WHERE id = a.author_id LIMIT 1 FOR KEY SHARE SKIP LOCKED) w
			CROSS JOIN LATERAL (SELECT box_id FROM entries WHERE box_id = a.box_id AND key = a.key AND version = a.version - 1
				AND deleted_at IS NULL LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) e
			WHERE f.box_id = a.box_id AND f.is_active AND f.takes_part
				AND f.permissions & ` + fmt.Sprint(int(domain.AllPermissions)) +
			` = a.permissions AND f.expires IS NOT DISTINCT FROM a.expires
		), moved AS (
			UPDATE entries e SET version = h.version, updated_at = h.at FROM held h WHERE e.box_id = h.box_id AND e.key = h.key RETURNING h.*
		), added AS (
			INSERT INTO entry_versions (box_id, key, version, sealed_as, key_id, envelope, value, author_id, created_at)
				SELECT box_id, key, version, sealed_as, key_id, envelope, value, author_id, at FROM moved
		), dropped AS (
			DELETE FROM entry_versions v USING (
				SELECT o.* FROM moved m CROSS JOIN LATERAL (SELECT box_id, key, version FROM entry_versions
					WHERE box_id = m.box_id AND key = m.key AND version <= m.drop_to FOR UPDATE SKIP LOCKED) o) d
				WHERE v.box_id = d.box_id AND v.key = d.key AND v.version = d.version
		), noted AS (
			INSERT INTO events (` + eventColumns + `) SELECT ` + strings.TrimPrefix(eventOf(""), ", ") + ` FROM moved
		)
		SELECT n FROM moved`
	}
	return texts
}

type replaceCall = call[ports.ConditionalWrite, bool]

// WriteIfUnchanged stores a version in place of the newest one; see ports.EntryWriter.
func (s *Store) WriteIfUnchanged(ctx context.Context, replacement ports.ConditionalWrite) (stored bool, err error) {
	if len(replacement.Version.Sealed.Value) > largestInBatch {
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
	if err != nil {
		clear(stored) // the rows came, and were taken back
	}
	for _, c := range batch {
		c.settle(stored[c], nil)
	}
	s.passedOver.Add(int64(len(batch) - len(stored)))
	return nil
}

// sendReplacements returns what was stored, once that is committed.
func sendReplacements(ctx context.Context, conn querier, batch []*replaceCall) (map[*replaceCall]bool, error) {
	parts := make(map[domain.CredentialKind][]*replaceCall, 1)
	for _, c := range batch {
		kind := c.asked.Snapshot.Access.Caller.Credential.Kind
		parts[kind] = append(parts[kind], c)
	}
	stored := make(map[*replaceCall]bool, len(batch))
	var statements pgx.Batch
	for kind, part := range parts {
		statements.Queue(replaceSQL[kind], replaceArrays(kind, part)...).Query(func(rows pgx.Rows) error {
			numbers, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			for _, n := range numbers {
				stored[part[n-1]] = true
			}
			return err
		})
	}
	return stored, conn.SendBatch(ctx, &statements).Close()
}

// replaceArrays are in the order of replacementColumns and eventColumns.
func replaceArrays(kind domain.CredentialKind, part []*replaceCall) []any {
	arrays := []any{
		credentialArray(kind, part,
			func(c *replaceCall) *domain.Credential { return &c.asked.Snapshot.Access.Caller.Credential }),
		column(part, func(c *replaceCall) pgtype.UUID { return issuedTo(c.asked.Snapshot.Access.Caller.Credential) }),
		column(part, func(c *replaceCall) string { return string(c.asked.Snapshot.Access.Box.Name) }),
		column(part, func(c *replaceCall) pgtype.UUID { return uuid(c.asked.Version.Place.Box) }),
		column(part, func(c *replaceCall) string { return string(c.asked.Version.Place.Key) }),
		column(part, func(c *replaceCall) int16 { return int16(c.asked.Snapshot.Access.Member.Permissions) }),
		column(part, func(c *replaceCall) pgtype.Timestamptz {
			return timestamp(
				c.asked.Snapshot.Access.Caller.ExpiresAt)
		}),
		column(part, func(c *replaceCall) int64 { return number(c.asked.Version.Place.Version) }),
		column(part, func(c *replaceCall) int64 { return number(c.asked.Version.Place.SealedAs) }),
		column(part, func(c *replaceCall) pgtype.UUID { return uuid(c.asked.Version.Sealed.ServerKey) }),
		column(part, func(c *replaceCall) []byte { return c.asked.Version.Sealed.Envelope }),
		column(part, func(c *replaceCall) []byte { return c.asked.Version.Sealed.Value }),
		column(part, func(c *replaceCall) pgtype.UUID { return uuid(c.asked.Version.Author) }),
		column(part, func(c *replaceCall) time.Time { return c.asked.At }),
		column(part, func(c *replaceCall) int64 { return dropTo(&c.asked) }),
	}
	return append(arrays, eventArrays(part, func(c *replaceCall) *domain.Event { return &c.asked.Event })...)
}

// dropTo is the newest version that is no longer kept; 0 and less is none.
func dropTo(r *ports.ConditionalWrite) int64 {
	if r.Keep == 0 {
		return 0
	}
	return number(r.Version.Place.Version) - int64(r.Keep)
}
