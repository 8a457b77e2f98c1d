package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
)

// dropletRecords implements ports.DropletRecords. Before a server works on the droplet host, it claims the record with
// a conditional update. It holds no lock during that work, because the work takes seconds.
type dropletRecords struct{ q querier }

// dropletColumns are columns of the tables droplets (alias d) and boxes (alias b).
const dropletColumns = `d.id, d.name, d.container_id, d.box_id, COALESCE(b.name, ''), d.entry_key, d.entry_version, ` +
	`d.entry_replaced, d.busy_until, d.abandoned, d.created_at`

// Add inserts the record before anything is created on the host. If the creation is interrupted, Lockbox can find the
// container by this record.
func (r dropletRecords) Add(ctx context.Context, record domain.DropletRecord) error {
	_, err := r.q.Exec(ctx, `INSERT INTO droplets (id, busy_until, created_at) VALUES ($1, $2, $3)`,
		uuid(record.ID), timestamp(record.BusyUntil), record.CreatedAt)
	return translate(err)
}

// List reads the whole table. The table is small: it has one row for each droplet and for each interrupted creation or
// deletion.
func (r dropletRecords) List(ctx context.Context) ([]domain.DropletRecord, error) {
	rows, err := r.q.Query(ctx,
		`SELECT `+dropletColumns+` FROM droplets d LEFT JOIN boxes b ON b.id = d.box_id ORDER BY d.created_at, d.id`)
	return collect(rows, err, func(row pgx.CollectableRow) (domain.DropletRecord, error) { return scanDroplet(row) })
}

// scanDroplet reads dropletColumns.
func scanDroplet(row pgx.Row) (domain.DropletRecord, error) {
	var record domain.DropletRecord
	var id [16]byte
	var box pgtype.UUID
	var busy pgtype.Timestamptz
	var name, boxName, key string
	var version, replaced int64
	err := row.Scan(&id, &name, &record.Container, &box, &boxName, &key, &version, &replaced, &busy,
		&record.Abandoned, &record.CreatedAt)
	record.ID, record.Name = id, domain.DropletName(name)
	record.Box, record.BoxName = box.Bytes, domain.BoxName(boxName)
	record.Key, record.Version, record.Replaced = domain.EntryKey(key), unsigned(version), unsigned(replaced)
	record.BusyUntil = timeOf(busy)
	record.CreatedAt = record.CreatedAt.UTC()
	return record, err
}

// NoteEntry does not change an abandoned record. It then returns domain.ErrDropletAbandoned.
func (r dropletRecords) NoteEntry(ctx context.Context, id domain.DropletID, entry domain.Entry,
	replaced uint64) error {
	tag, err := r.q.Exec(ctx, `UPDATE droplets SET box_id = $2, entry_key = $3, entry_version = $4, entry_replaced = $5
		WHERE id = $1 AND NOT abandoned`,
		uuid(id), uuid(entry.Box), string(entry.Key), number(entry.Version), number(replaced))
	if err == nil && tag.RowsAffected() == 0 {
		return domain.ErrDropletAbandoned
	}
	return translate(err)
}

// Finish completes the record, and then deletes older complete records with the same name. The containers of those
// records no longer exist, because a host cannot have two containers with the same name.
func (r dropletRecords) Finish(ctx context.Context, id domain.DropletID, name domain.DropletName,
	container string) error {
	tag, err := r.q.Exec(ctx,
		`UPDATE droplets SET name = $2, container_id = $3, busy_until = NULL WHERE id = $1 AND NOT abandoned`,
		uuid(id), string(name), container)
	if err != nil {
		return translate(err)
	}
	if tag.RowsAffected() == 0 {
		return domain.ErrDropletAbandoned
	}
	_, err = r.q.Exec(ctx, `DELETE FROM droplets WHERE name = $2 AND id <> $1 AND busy_until IS NULL`,
		uuid(id), string(name))
	return translate(err)
}

// Claim succeeds only if busy_until in the database still equals read.BusyUntil. If several servers try to claim the
// record, only one of them succeeds.
func (r dropletRecords) Claim(ctx context.Context, read domain.DropletRecord, until time.Time) (domain.DropletRecord,
	bool, error) {
	record, err := scanDroplet(r.q.QueryRow(ctx, `WITH d AS (
			UPDATE droplets SET abandoned = true, busy_until = $3
			WHERE id = $1 AND busy_until IS NOT DISTINCT FROM $2 RETURNING *
		) SELECT `+dropletColumns+` FROM d LEFT JOIN boxes b ON b.id = d.box_id`, uuid(read.ID),
		timestamp(read.BusyUntil), until))
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.DropletRecord{}, false, nil
	}
	return record, err == nil, translate(err)
}

// Release has no effect if another server has claimed the record in the meantime.
func (r dropletRecords) Release(ctx context.Context, claimed domain.DropletRecord, at time.Time) error {
	_, err := r.q.Exec(ctx, `UPDATE droplets SET abandoned = $3, busy_until = $4 WHERE id = $1 AND busy_until = $2`,
		uuid(claimed.ID), claimed.BusyUntil, !at.IsZero(), timestamp(at))
	return translate(err)
}

func (r dropletRecords) Delete(ctx context.Context, id domain.DropletID) error {
	_, err := r.q.Exec(ctx, `DELETE FROM droplets WHERE id = $1`, uuid(id))
	return translate(err)
}
