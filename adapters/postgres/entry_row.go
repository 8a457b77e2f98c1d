package postgres

import (
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// entryRow receives the columns of an entry and of one of its versions; see entryColumns and newestColumns. If the
// entry was not found, the columns of the entry are null. If the version was not found, the columns of the version are
// null.
type entryRow struct {
	entryVersion      pgtype.Int8
	deleted           pgtype.Bool
	updated, created  pgtype.Timestamptz
	version, sealedAs pgtype.Int8
	serverKey         pgtype.UUID
	envelope, value   []byte
	key               []byte
	tooLarge          bool
}

// targets returns the arguments of Scan for these columns, in the same order.
func (r *entryRow) targets() []any {
	return []any{&r.entryVersion, &r.deleted, &r.updated, &r.version, &r.sealedAs, &r.serverKey, &r.envelope,
		&r.key, &r.created, &r.value, &r.tooLarge}
}

// snapshot converts the columns in r, callerRow and accessRow to a snapshot. In the snapshot, an entry or a version
// that was not found is zero.
func (r *entryRow) snapshot(input *lookup, callerRow *callerRow, accessRow *accessRow) (ports.EntrySnapshot, error) {
	caller, err := callerRow.caller(input.credential)
	if err != nil {
		return ports.EntrySnapshot{}, err
	}
	access, err := accessRow.access(caller)
	snapshot := ports.EntrySnapshot{Access: access}
	if err != nil || !r.entryVersion.Valid {
		return snapshot, err
	}
	snapshot.Entry = domain.Entry{
		Box:       access.Box.ID,
		Key:       input.key,
		Version:   unsigned(r.entryVersion.Int64),
		Deleted:   r.deleted.Bool,
		UpdatedAt: timeOf(r.updated),
	}
	if !r.version.Valid {
		return snapshot, nil
	}
	snapshot.Version = ports.StoredVersion{
		Place: ports.Place{
			Box:      access.Box.ID,
			Key:      input.key,
			Version:  unsigned(r.version.Int64),
			SealedAs: unsigned(r.sealedAs.Int64),
		},
		Sealed:    ports.SealedValue{ServerKey: r.serverKey.Bytes, Envelope: r.envelope, Value: r.value},
		CreatedAt: timeOf(r.created),
		BoxKey:    keyIDOf(r.key),
	}
	return snapshot, nil
}
