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

	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// A conditional write follows a lookup. The domain has authorized the write with the data of that lookup. The write
// stores a new version of the entry only if this data is unchanged. Otherwise it stores nothing, and its caller falls
// back to the locking path (Entries.Lock and Entries.AddVersion). Concurrent conditional writes share a statement and a
// commit.

// maxWriteBatch is the largest number of conditional writes in one batch.
const maxWriteBatch = 64

// writeColumns are the columns of one write, in the order of writeArrays. The columns of the write's audit event follow
// them.
const writeColumns = `credential, issued_to, box, box_id, key, permissions, expires, version, sealed_as, key_id, ` +
	`envelope, value, author_id, at, prune_to, room, box_key_id`

// writeTypes are the types of writeColumns, except for the first column. The type of that column depends on the kind of
// credential.
var writeTypes = []string{"uuid", "text", "uuid", "text", "smallint", "timestamptz", "bigint", "bigint", "uuid",
	"bytea", "bytea", "uuid", "timestamptz", "bigint", "bigint", "bytea"}

// writeStatements has an entry for every kind of credential.
var writeStatements = buildWriteStatements()

// buildWriteStatements returns one statement for each kind of credential.
//
//   - The query "locked" selects and locks the entries whose writes may be stored. A locked row must not delay the
//     whole batch, so the query uses SKIP LOCKED. It therefore omits an entry that another transaction is writing. It
//     also omits a write whose author is being deleted, because the check of the foreign key would wait for the lock on
//     that user.
//   - The same query compares box_key_id in the locked row of the entry. A change of the box key updates this column in
//     every entry. A write that used the old box key is therefore never stored after the change. In a box without a
//     keyring, the column is NULL.
//   - The query "updated" sets the new version number in these entries. If a batch contains several writes to the same
//     entry, one of them is stored.
//   - The queries "inserted_versions", "pruned", "audited" and "queued" use the rows of "updated". The query "pruned"
//     skips old versions that are locked. The next write to the same entry deletes these versions.
//
// The statement returns the ordinals of the writes that were stored. The comment on buildLookupStatements explains
// LIMIT 1.
func buildWriteStatements() map[domain.CredentialKind]string {
	events := strings.ReplaceAll(", "+eventColumns, ", ", ", event_")
	statements := make(map[domain.CredentialKind]string)
	for kind, source := range credentialSources {
		statements[kind] = `WITH locked AS (
			SELECT a.* FROM ` + unnest(slices.Concat([]string{source.paramType}, writeTypes, eventTypes)...) + `
				WITH ORDINALITY AS a (` + writeColumns + events + `, n)
			CROSS JOIN LATERAL (SELECT id FROM server_keys WHERE id = a.key_id AND retired_at IS NULL LIMIT 1) k
			CROSS JOIN LATERAL (
				SELECT b.id AS box_id, u.is_active, m.is_active AS member_is_active, m.permissions, ` +
			source.expiry + ` AS expires` + perRow.Replace(source.from+joinAccess+source.where) + ` LIMIT 1) f
			CROSS JOIN LATERAL (SELECT id FROM users WHERE id = a.author_id LIMIT 1 FOR KEY SHARE SKIP LOCKED) w
			CROSS JOIN LATERAL (
				SELECT box_id FROM entries
				WHERE box_id = a.box_id AND key = a.key AND version = a.version - 1 AND deleted_at IS NULL
					AND ` + hasRoom + `
					AND box_key_id IS NOT DISTINCT FROM a.box_key_id
				LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) e
			WHERE f.box_id = a.box_id AND f.is_active AND f.member_is_active
				AND f.permissions & ` + fmt.Sprint(int(domain.AllPermissions)) + ` = a.permissions
				AND f.expires IS NOT DISTINCT FROM a.expires
		), updated AS (
			UPDATE entries e SET version = l.version, updated_at = l.at
				FROM locked l WHERE e.box_id = l.box_id AND e.key = l.key RETURNING l.*
		), inserted_versions AS (
			INSERT INTO entry_versions
				(box_id, key, version, sealed_as, key_id, envelope, value, author_id, created_at, box_key_id)
				SELECT box_id, key, version, sealed_as, key_id, envelope, value, author_id, at, box_key_id FROM updated
		), pruned AS (
			DELETE FROM entry_versions v USING (
				SELECT o.* FROM updated u CROSS JOIN LATERAL (
					SELECT box_id, key, version FROM entry_versions
					WHERE box_id = u.box_id AND key = u.key AND version <= u.prune_to FOR UPDATE SKIP LOCKED) o) d
				WHERE v.box_id = d.box_id AND v.key = d.key AND v.version = d.version
		), audited AS (
			INSERT INTO events (` + eventColumns + `) SELECT ` + strings.TrimPrefix(events, ", ") + ` FROM updated
				RETURNING id
		), queued AS (
			` + queueStored("audited") + `
		)
		SELECT n FROM updated`
	}
	return statements
}

// hasRoom is domain.Room.Covers in SQL. The column a.room is 0 if the box has no limit. After the write, the entry has
// at most a.version - a.prune_to versions. If all versions are kept, a.prune_to is 0, and the maximum is a.version.
const hasRoom = `(a.room = 0 OR a.room <= slot_bytes AND (slots >= a.version - a.prune_to OR a.version <= slots_until))`

type writeRequest = batch.Request[ports.ConditionalWrite, bool]

// WriteIfUnchanged stores the next version of an entry; see ports.EntryWriter. For a value larger than largestInBatch,
// it stores nothing and returns false. The caller then falls back to the locking path. There, a large value does not
// delay the other writes of a batch.
func (s *Store) WriteIfUnchanged(ctx context.Context, write ports.ConditionalWrite) (stored bool, err error) {
	if len(write.Version.Sealed.Value) > largestInBatch {
		return false, nil
	}
	stored, err = s.writes.Do(ctx, write)
	if errors.Is(err, batch.ErrCancelled) {
		return false, outcomeUnknown(err)
	}
	return stored, err
}

// runWrites stores a batch in one round trip and one commit. The database accepts or rejects the batch as a whole.
// After a rejection, runWrites returns nil and reports that no write was stored. Each caller then falls back to the
// locking path, where only the faulty write fails.
func (s *Store) runWrites(ctx context.Context, requests []*writeRequest) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout+endTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Release()
	notReplicated := watchReplication(conn)
	stored, err := sendWrites(ctx, conn, requests)
	refused, known := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil && notReplicated():
		return outcomeUnknown(errNotReplicated)
	case known && isOutage(refused.Code), pgconn.SafeToRetry(err): // nothing was stored
		return translate(err)
	case !known && err != nil:
		return outcomeUnknown(err)
	}
	if err != nil {
		clear(stored) // the rows in stored arrived before the rollback
	}
	for _, request := range requests {
		if stored[request] {
			s.eventCounts.add(&request.Input.Event)
		}
		request.Complete(stored[request], nil)
	}
	s.writeFallbacks.Add(int64(len(requests) - len(stored)))
	return nil
}

// sendWrites returns the requests whose writes the database has stored. If the error is nil, these writes are
// committed.
func sendWrites(ctx context.Context, q querier, requests []*writeRequest) (map[*writeRequest]bool, error) {
	byKind := make(map[domain.CredentialKind][]*writeRequest, 1)
	for _, request := range requests {
		kind := request.Input.Snapshot.Access.Caller.Credential.Kind
		byKind[kind] = append(byKind[kind], request)
	}
	stored := make(map[*writeRequest]bool, len(requests))
	var statements pgx.Batch
	for kind, group := range byKind {
		statements.Queue(writeStatements[kind], writeArrays(kind, group)...).Query(func(rows pgx.Rows) error {
			ordinals, err := pgx.CollectRows(rows, pgx.RowTo[int64])
			for _, n := range ordinals {
				stored[group[n-1]] = true
			}
			return err
		})
	}
	return stored, q.SendBatch(ctx, &statements).Close()
}

// writeArrays returns the parameters in the order of writeColumns and eventColumns. Each parameter is an array with one
// element for each write.
func writeArrays(kind domain.CredentialKind, group []*writeRequest) []any {
	caller := func(r *writeRequest) *domain.Caller { return &r.Input.Snapshot.Access.Caller }
	arrays := []any{
		credentialArray(kind, group, func(r *writeRequest) *domain.Credential { return &caller(r).Credential }),
		uuids(group, func(r *writeRequest) pgtype.UUID { return issuedTo(caller(r).Credential) }),
		texts(group, func(r *writeRequest) string { return string(r.Input.Snapshot.Access.Box.Name) }),
		uuids(group, func(r *writeRequest) pgtype.UUID { return uuid(r.Input.Version.Place.Box) }),
		texts(group, func(r *writeRequest) string { return string(r.Input.Version.Place.Key) }),
		column(group, func(r *writeRequest) int16 { return int16(r.Input.Snapshot.Access.Member.Permissions) }),
		timestamps(group, func(r *writeRequest) time.Time { return caller(r).ExpiresAt }),
		column(group, func(r *writeRequest) int64 { return number(r.Input.Version.Place.Version) }),
		column(group, func(r *writeRequest) int64 { return number(r.Input.Version.Place.SealedAs) }),
		uuids(group, func(r *writeRequest) pgtype.UUID { return uuid(r.Input.Version.Sealed.ServerKey) }),
		column(group, func(r *writeRequest) []byte { return r.Input.Version.Sealed.Envelope }),
		column(group, func(r *writeRequest) []byte { return r.Input.Version.Sealed.Value }),
		uuids(group, func(r *writeRequest) pgtype.UUID { return uuid(r.Input.Version.Author) }),
		timestamps(group, func(r *writeRequest) time.Time { return r.Input.At }),
		column(group, func(r *writeRequest) int64 { return pruneTo(&r.Input) }),
		column(group, func(r *writeRequest) int64 { return roomFor(&r.Input) }),
		column(group, func(r *writeRequest) []byte { return storedKeyID(r.Input.Version.BoxKey) }),
	}
	return append(arrays, eventArrays(group, func(r *writeRequest) *domain.Event { return &r.Input.Event })...)
}

// pruneTo returns the number of the newest version that the write deletes. Versions start at 1, so a result of 0 or
// less deletes nothing.
func pruneTo(write *ports.ConditionalWrite) int64 {
	if write.Keep == 0 {
		return 0
	}
	return number(write.Version.Place.Version) - int64(write.Keep)
}

// roomFor returns how many bytes of the box's limit the version uses, or 0 if the box has no limit.
func roomFor(write *ports.ConditionalWrite) int64 {
	if !write.Limited {
		return 0
	}
	return domain.VersionBytes(len(write.Version.Sealed.Value))
}
