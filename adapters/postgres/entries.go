package postgres

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// entries implements ports.Entries, the repository for writes under a lock, deletions, lists, and reads of old
// versions. Store.LookUp and Store.WriteIfUnchanged serve the common reads and writes in batches.
type entries struct{ q querier }

// Keys matches the prefix with a range instead of LIKE, because a prepared statement cannot use an index for LIKE with
// a parameter. The range ends with 0x7f, because all characters of a key sort before 0x7f. The statement returns all
// keys in a single string, because it would take much longer to transfer and scan one row for each key.
func (r entries) Keys(ctx context.Context, box domain.BoxID, prefix string) ([]domain.EntryKey, error) {
	var joined pgtype.Text
	if err := r.q.QueryRow(ctx, keysSQL, uuid(box), prefix, prefix+"\x7f").Scan(&joined); err != nil {
		return nil, translate(err)
	}
	if !joined.Valid {
		return []domain.EntryKey{}, nil
	}
	// A key cannot contain a line feed, so each line is one key.
	keys := make([]domain.EntryKey, 0, 1+strings.Count(joined.String, "\n"))
	for key := range strings.SplitSeq(joined.String, "\n") {
		keys = append(keys, domain.EntryKey(key))
	}
	return keys, nil
}

// keysSQL joins the keys in the order in which the subquery returns them.
const keysSQL = `SELECT string_agg(key, E'\n') FROM (SELECT key FROM entries
	WHERE box_id = $1 AND key >= $2 AND key < $3 AND deleted_at IS NULL ORDER BY key) k`

// CountIn checks the limit and increments the counter in one UPDATE. Concurrent writers therefore cannot exceed the
// limit. The UPDATE locks the box. A second statement in the same round trip counts the deleted keys. Their number
// changes only in a transaction that has locked the box, so the count is exact.
func (r entries) CountIn(ctx context.Context, box domain.BoxID, key domain.EntryKey, limit int, now time.Time) error {
	const update = `UPDATE boxes SET entry_count = entry_count + 1, updated_at = $2
		WHERE id = $1 AND ($3::bigint = 0 OR entry_count < $3)`
	var counted int64
	exceeded := false
	var batch pgx.Batch
	batch.Queue(update, uuid(box), now, limit).Exec(func(tag pgconn.CommandTag) error {
		counted = tag.RowsAffected()
		return nil
	})
	if limit > 0 {
		batch.Queue(removedCountSQL, uuid(box), string(key), limit).QueryRow(func(row pgx.Row) error {
			return orNotFound(row.Scan(&exceeded), nil)
		})
	}
	if err := r.q.SendBatch(ctx, &batch).Close(); err != nil {
		return translate(err)
	}
	if counted == 1 && !exceeded {
		return nil
	}
	var exists bool
	if err := r.q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM boxes WHERE id = $1)`,
		uuid(box)).Scan(&exists); err != nil {
		return translate(err)
	}
	if !exists {
		return domain.ErrBoxNotFound
	}
	return domain.LimitReached("this box cannot have more entries")
}

// removedCountSQL counts the keys of a box, including the deleted keys, and reports whether the count exceeds a limit.
// An index of the deleted keys makes the count fast.
const removedCountSQL = `SELECT b.entry_count + (SELECT count(*) FROM entries
		WHERE box_id = b.id AND deleted_at IS NOT NULL AND NOT swept AND key <> $2) > $3::bigint
	FROM boxes b WHERE b.id = $1`

// CountOut decrements the counter in one UPDATE.
func (r entries) CountOut(ctx context.Context, box domain.BoxID, now time.Time) error {
	tag, err := r.q.Exec(ctx,
		`UPDATE boxes SET entry_count = entry_count - 1, updated_at = $2 WHERE id = $1 AND entry_count > 0`,
		uuid(box), now)
	if err == nil && tag.RowsAffected() == 0 {
		return domain.ErrEntryNotFound // the box was deleted, or is empty
	}
	return translate(err)
}

// Lock first tries to lock an existing row. It inserts a row only if there is none. In the common case, the row exists,
// and Lock needs one round trip.
func (r entries) Lock(ctx context.Context, credential domain.Credential, box domain.Box, key domain.EntryKey,
	now time.Time) (ports.LockedEntry, error) {
	locked, err := r.lock(ctx, credential, box, key)
	if !errors.Is(err, pgx.ErrNoRows) {
		return locked, translate(err)
	}
	// The insert waits for a concurrent transaction that inserts the same key. version_floor is the highest version
	// number of all rows of deleted keys that the janitor has removed from the box, or 0. If it is not 0, the new row
	// looks like the row of a deleted key with this version number. The next version of the key therefore gets a number
	// that the key has never had.
	_, err = r.q.Exec(ctx, `INSERT INTO entries (box_id, key, version, deleted_at, swept, updated_at)
		SELECT id, $2, version_floor, CASE WHEN version_floor > 0 THEN $3::timestamptz END, version_floor > 0, $3
			FROM boxes WHERE id = $1
		ON CONFLICT DO NOTHING`, uuid(box.ID), string(key), now)
	if sqlstate.Of(err) == sqlstate.ForeignKeyViolation {
		return ports.LockedEntry{}, domain.ErrBoxNotFound
	}
	if err != nil {
		return ports.LockedEntry{}, translate(err)
	}
	locked, err = r.lock(ctx, credential, box, key)
	return locked, orNotFound(err, domain.ErrBoxNotFound)
}

// lock sends two statements in one round trip. They cannot be a single statement with a join. If such a statement had
// to wait for the lock, it would read the tables that it does not lock as they were before the wait. lock returns
// pgx.ErrNoRows if the entry has no row.
func (r entries) lock(ctx context.Context, credential domain.Credential, box domain.Box,
	key domain.EntryKey) (ports.LockedEntry, error) {
	locked := ports.LockedEntry{Entry: domain.Entry{Box: box.ID, Key: key}}
	missing := false
	var batch pgx.Batch
	batch.Queue(`SELECT version, deleted_at IS NOT NULL, updated_at, slot_bytes, slots, slots_until FROM entries
		WHERE box_id = $1 AND key = $2 FOR UPDATE`, uuid(box.ID), string(key)).
		QueryRow(func(row pgx.Row) error {
			var version, until int64
			err := row.Scan(&version, &locked.Entry.Deleted, &locked.Entry.UpdatedAt, &locked.Room.SlotBytes,
				&locked.Room.Slots, &until)
			locked.Entry.Version, locked.Room.Until = unsigned(version), unsigned(until)
			if missing = errors.Is(err, pgx.ErrNoRows); missing {
				return nil // lock returns ErrNoRows at the end, unless another statement fails
			}
			return err
		})
	batch.Queue(accessSQL(credential.Kind), credentialParam(credential), issuedTo(credential), string(box.Name)).
		QueryRow(func(row pgx.Row) (err error) {
			locked.Access, _, err = scanAccess(row, credential)
			return err
		})
	err := r.q.SendBatch(ctx, &batch).Close()
	if err == nil && missing {
		err = pgx.ErrNoRows
	}
	if err == nil && locked.Access.Box.ID != box.ID {
		locked.Access.Box = domain.Box{} // the box was deleted, and another one may have its name
	}
	return locked, err
}

// Stored reads only the lengths of the values, not the values.
func (r entries) Stored(ctx context.Context, box domain.BoxID, key domain.EntryKey) (versions, largest int,
	err error) {
	err = r.q.QueryRow(ctx, `SELECT count(*), COALESCE(max(octet_length(value)), 0) FROM entry_versions
		WHERE box_id = $1 AND key = $2`, uuid(box), string(key)).Scan(&versions, &largest)
	return versions, largest, translate(err)
}

// AddVersion sends all its statements with the commit. It must store nothing under a retired server key. If the key was
// retired, the subquery for the column key_id returns NULL. The column does not accept NULL, so the statement fails.
func (r entries) AddVersion(ctx context.Context, entry domain.Entry, version ports.NewVersion, keep int,
	event domain.Event) error {
	var batch pgx.Batch
	queueEntry(&batch, entry, version.Reservation)
	batch.Queue(`INSERT INTO entry_versions
			(key_id, box_id, key, version, sealed_as, envelope, value, author_id, created_at, box_key_id)
		VALUES ((SELECT id FROM server_keys WHERE id = $1 AND retired_at IS NULL), $2, $3, $4, $5, $6, $7, $8, $9,
			$10)`,
		uuid(version.Sealed.ServerKey), uuid(version.Place.Box), string(version.Place.Key),
		number(version.Place.Version), number(version.Place.SealedAs), version.Sealed.Envelope, version.Sealed.Value,
		uuid(version.Author), entry.UpdatedAt, storedKeyID(version.BoxKey))
	// Version numbers have no gaps. The statement can therefore find the versions to delete by their numbers.
	if keep > 0 && entry.Version > unsigned(int64(keep)) {
		batch.Queue(`DELETE FROM entry_versions WHERE box_id = $1 AND key = $2 AND version <= $3`,
			uuid(entry.Box), string(entry.Key), number(entry.Version)-int64(keep))
	}
	queueEvent(r.q, &batch, event)
	return atCommit(ctx, r.q, &batch, translateAddVersion)
}

// queueEntry adds the statements that update the row of an entry when it receives a new version. They also store the
// reservation if it is not nil. The row of the entry gets the ID of the current box key. The version itself may have an
// older box key, because UndoWrite can restore an old version. The version number and the reservation are stored by the
// same UPDATE of the row, because a second UPDATE would leave one more dead row. If the reservation exceeds the limit
// of the box, the UPDATE of the box sets reserved_bytes to NULL. The column does not accept NULL, so the statement
// fails, and the version is not stored.
func queueEntry(batch *pgx.Batch, entry domain.Entry, reservation *ports.Reservation) {
	args := []any{uuid(entry.Box), string(entry.Key), number(entry.Version), entry.UpdatedAt}
	room := ``
	if reservation != nil {
		batch.Queue(`UPDATE boxes SET reserved_bytes =
				CASE WHEN $2::bigint <= 0 OR reserved_bytes + $2 <= $3 THEN GREATEST(0, reserved_bytes + $2) END
			WHERE id = $1`, uuid(entry.Box), reservation.Added, reservation.Limit)
		room = `, slot_bytes = $5, slots = $6, slots_until = $7`
		args = append(args, reservation.Room.SlotBytes, reservation.Room.Slots, number(reservation.Room.Until))
	}
	batch.Queue(`UPDATE entries SET version = $3, deleted_at = NULL, swept = false, updated_at = $4,
			box_key_id = (SELECT box_key_id FROM boxes WHERE id = $1)`+room+`
		WHERE box_id = $1 AND key = $2`, args...)
}

// translateAddVersion is like translate, but also recognises the errors that are specific to AddVersion.
func translateAddVersion(err error) error {
	switch refused, _ := errors.AsType[*pgconn.PgError](err); {
	case violates(err, sqlstate.ForeignKeyViolation, "entry_versions_author_id_fkey"):
		return domain.ErrUnauthenticated // the author was deleted concurrently
	case violates(err, sqlstate.UniqueViolation, "entry_versions_pkey"):
		// A version with this number already exists. The row of the entry therefore does not contain the number of the
		// newest version, although Lockbox always stores that number there.
		return &ports.TamperedError{What: "entry version number"}
	case refused != nil && refused.Code == sqlstate.NotNullViolation && refused.ColumnName == "key_id":
		return ports.ErrStaleServerKey
	case refused != nil && refused.Code == sqlstate.NotNullViolation && refused.ColumnName == "reserved_bytes":
		return domain.LimitReached("this box cannot store more bytes")
	default:
		return translate(err)
	}
}

// MarkDeleted leaves the versions in place. The janitor deletes them later; see
// Store.DeleteRemovedEntries.
func (r entries) MarkDeleted(ctx context.Context, entry domain.Entry) error {
	_, err := r.q.Exec(ctx, `UPDATE entries SET deleted_at = $3, updated_at = $3 WHERE box_id = $1 AND key = $2`,
		uuid(entry.Box), string(entry.Key), entry.UpdatedAt)
	return translate(err)
}

// DeleteVersion marks the entry as deleted only if entry.Version is still its current version. A single UPDATE compares
// the version and marks the entry.
func (r entries) DeleteVersion(ctx context.Context, entry domain.Entry) (bool, error) {
	tag, err := r.q.Exec(ctx, `UPDATE entries SET deleted_at = $4, updated_at = $4
		WHERE box_id = $1 AND key = $2 AND version = $3 AND deleted_at IS NULL`,
		uuid(entry.Box), string(entry.Key), number(entry.Version), entry.UpdatedAt)
	return tag.RowsAffected() == 1, translate(err)
}

// LockVersion waits for a concurrent writer of the entry. After the wait, PostgreSQL evaluates the condition on the row
// that the writer committed.
func (r entries) LockVersion(ctx context.Context, entry domain.Entry) (bool, error) {
	tag, err := r.q.Exec(ctx, `SELECT FROM entries
		WHERE box_id = $1 AND key = $2 AND version = $3 AND deleted_at IS NULL FOR UPDATE`,
		uuid(entry.Box), string(entry.Key), number(entry.Version))
	return tag.RowsAffected() == 1, translate(err)
}

// Versions returns an empty name for an author who was deleted.
func (r entries) Versions(ctx context.Context, box domain.BoxID, key domain.EntryKey) ([]domain.EntryVersion, error) {
	rows, err := r.q.Query(ctx,
		`SELECT v.version, COALESCE(u.name, ''), v.created_at, v.version = e.version AND e.deleted_at IS NULL,
			v.box_key_id
		FROM entry_versions v JOIN entries e ON e.box_id = v.box_id AND e.key = v.key
			LEFT JOIN users u ON u.id = v.author_id
		WHERE v.box_id = $1 AND v.key = $2 ORDER BY v.version DESC`, uuid(box), string(key))
	list, err := collect(rows, err, func(row pgx.CollectableRow) (domain.EntryVersion, error) {
		var version int64
		var author string
		var line domain.EntryVersion
		var key []byte
		err := row.Scan(&version, &author, &line.CreatedAt, &line.Current, &key)
		line.BoxKey = keyIDOf(key)
		line.Version, line.Author, line.CreatedAt = unsigned(version), domain.UserName(author), line.CreatedAt.UTC()
		return line, err
	})
	if err == nil && len(list) == 0 {
		return nil, domain.ErrEntryNotFound
	}
	return list, err
}

// Version reads one version. The entry may be deleted.
func (r entries) Version(ctx context.Context, box domain.BoxID, key domain.EntryKey,
	version uint64) (ports.StoredVersion, error) {
	rows, err := r.q.Query(ctx, `SELECT `+storedColumns+`, value, author_id FROM entry_versions
		WHERE box_id = $1 AND key = $2 AND version = $3`, uuid(box), string(key), number(version))
	list, err := collect(rows, err, func(row pgx.CollectableRow) (ports.StoredVersion, error) {
		var value []byte
		var author pgtype.UUID
		stored, err := scanStored(row, &value, &author)
		stored.Sealed.Value, stored.Author = value, author.Bytes
		return stored, err
	})
	if err == nil && len(list) == 0 {
		return ports.StoredVersion{}, domain.ErrVersionNotFound
	}
	if err != nil {
		return ports.StoredVersion{}, err
	}
	return list[0], nil
}

// storedColumns are the columns that scanStored reads.
const storedColumns = `box_id, key, version, sealed_as, key_id, envelope, created_at, box_key_id`

// scanStored reads storedColumns. The argument more contains the targets for any further columns of the row.
func scanStored(row pgx.Row, more ...any) (ports.StoredVersion, error) {
	var stored ports.StoredVersion
	var box, serverKey [16]byte
	var key string
	var version, sealedAs int64
	var created pgtype.Timestamptz
	var boxKey []byte
	err := row.Scan(append([]any{&box, &key, &version, &sealedAs, &serverKey, &stored.Sealed.Envelope, &created,
		&boxKey}, more...)...)
	stored.Place = ports.Place{
		Box:      box,
		Key:      domain.EntryKey(key),
		Version:  unsigned(version),
		SealedAs: unsigned(sealedAs),
	}
	stored.Sealed.ServerKey, stored.CreatedAt, stored.BoxKey = serverKey, timeOf(created), keyIDOf(boxKey)
	return stored, err
}
