package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	factsColumns = `, e.version, e.deleted_at IS NOT NULL, e.updated_at,
		v.version, v.sealed_as, v.key_id, v.envelope, v.created_at`
	withoutValue = `, NULL::bytea`
	// $4 is the key of the entry, $5 the version or 0 for the newest.
	joinFacts = ` LEFT JOIN entries e ON e.box_id = b.id AND e.key = $4
		LEFT JOIN entry_versions v ON v.box_id = e.box_id AND v.key = e.key AND e.deleted_at IS NULL
			AND v.version = CASE WHEN $5::bigint = 0 THEN e.version ELSE $5 END `
)

// withValue: the value leaves storage only for whoever may read it, since to others its size would show in the time they
// wait. The decision stays with the domain.
var withValue = fmt.Sprintf(`, CASE WHEN m.is_active AND m.permissions & %d <> 0 THEN v.value END`, domain.ReadEntry)

// The texts are put together once: on the read path even that would show.
var (
	factsSQL = factsOf(withValue)
	writeSQL = factsOf(withoutValue)
)

func factsOf(value string) map[domain.CredentialKind]string {
	texts := make(map[domain.CredentialKind]string)
	for kind, at := range lookUps {
		texts[kind] = `SELECT ` + callerColumns + accessColumns + factsColumns + value + at.from + joinAccess + joinFacts + at.where
	}
	return texts
}

// Facts returns all that decides and answers the read of an entry; see ports.EntryReader.
func (s *Store) Facts(ctx context.Context, credential domain.Credential, box domain.BoxName, key domain.EntryKey,
	version uint64) (ports.EntryFacts, error) {
	return s.facts(ctx, factsSQL[credential.Kind], credential, box, key, version)
}

// FactsForWrite returns all that decides a write; see ports.EntryReader.
func (s *Store) FactsForWrite(ctx context.Context, credential domain.Credential, box domain.BoxName, key domain.EntryKey) (ports.EntryFacts, error) {
	return s.facts(ctx, writeSQL[credential.Kind], credential, box, key, 0)
}

// factsRow is where the columns of an entry and of its version are scanned to.
type factsRow struct {
	entryVersion     pgtype.Int8
	deleted          pgtype.Bool
	updated, created pgtype.Timestamptz
	version, sealed  pgtype.Int8
	serverKey        pgtype.UUID
	envelope, value  []byte
}

func (r *factsRow) targets() []any {
	return []any{&r.entryVersion, &r.deleted, &r.updated, &r.version, &r.sealed, &r.serverKey, &r.envelope, &r.created, &r.value}
}

func (s *Store) facts(ctx context.Context, sql string, credential domain.Credential, box domain.BoxName, key domain.EntryKey,
	version uint64) (ports.EntryFacts, error) {
	var who callerRow
	var what accessRow
	var row factsRow
	targets := make([]any, 0, 32)
	targets = append(append(append(append(targets, who.targets()...), what.targets()...), row.targets()...), who.credentialTargets()...)
	err := s.pool.QueryRow(ctx, sql, credentialArg(credential), issuedTo(credential), string(box), string(key), number(version)).Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		return ports.EntryFacts{Access: domain.Access{Caller: domain.Caller{Credential: credential}}}, nil
	}
	if err != nil {
		return ports.EntryFacts{}, translate(err)
	}
	callers{clock: s.clock, uses: s.uses}.note(credential, who)
	caller, err := who.caller(credential)
	if err != nil {
		return ports.EntryFacts{}, err
	}
	access, err := what.access(caller)
	if err != nil {
		return ports.EntryFacts{}, err
	}
	return row.facts(access, key), nil
}

func (r *factsRow) facts(access domain.Access, key domain.EntryKey) ports.EntryFacts {
	facts := ports.EntryFacts{Access: access}
	if !r.entryVersion.Valid {
		return facts
	}
	facts.Entry = domain.Entry{Box: access.Box.ID, Key: key, Version: unsigned(r.entryVersion.Int64),
		Deleted: r.deleted.Bool, UpdatedAt: timeOf(r.updated)}
	if !r.version.Valid {
		return facts
	}
	facts.Version = ports.StoredVersion{
		Place:     ports.Place{Box: access.Box.ID, Key: key, Version: unsigned(r.version.Int64), SealedAs: unsigned(r.sealed.Int64)},
		Sealed:    ports.SealedValue{ServerKey: r.serverKey.Bytes, Envelope: r.envelope, Value: r.value},
		CreatedAt: timeOf(r.created),
	}
	return facts
}

// number passes the number of a version, which the domain keeps within 63 bits.
func number(version uint64) int64 { return int64(version) } //nolint:gosec // see above

func unsigned(stored int64) uint64 { return uint64(stored) } //nolint:gosec // stored by number
