package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// A lookup finds the caller, the box, the caller's membership, the entry and one version in a single SQL statement.
// Several concurrent lookups can share one statement.

const (
	versionColumns = `, v.version, v.sealed_as, v.key_id, v.envelope, v.box_key_id, v.created_at`
	entryColumns   = `, e.version, e.deleted_at IS NOT NULL, e.updated_at` + versionColumns
	// $4 is the key of the entry. $5 is the number of the version, or 0 for the newest version.
	joinEntry = `
		LEFT JOIN entries e ON e.box_id = b.id AND e.key = $4
		LEFT JOIN entry_versions v ON v.box_id = e.box_id AND v.key = e.key AND e.deleted_at IS NULL
			AND v.version = CASE WHEN $5::bigint = 0 THEN e.version ELSE $5 END `

	// A read of the newest value does not read the row of the entry. In a large box, that read would take as long as
	// the read of the version. The row is not needed: the current version of an entry is always the version with the
	// highest number. To find out whether the entry is deleted, the statement reads the index of deleted entries, which
	// is small.
	newestColumns = `, v.version, false, v.created_at` + versionColumns
	joinNewest    = `
		LEFT JOIN LATERAL (SELECT key FROM entries
			WHERE box_id = b.id AND key = $4 AND deleted_at IS NOT NULL AND NOT swept LIMIT 1) removed ON true
		LEFT JOIN LATERAL (SELECT * FROM entry_versions
			WHERE box_id = b.id AND key = $4 ORDER BY version DESC LIMIT 1) v ON removed.key IS NULL `
)

// The last two columns of an entry are its value and a boolean. The boolean is true if the value is too large for a
// batch. The value then needs a separate lookup. The statement returns the value only if the caller may read it,
// because otherwise the response time would reveal the size of the value. This condition does not replace the
// authorization by the domain.
var (
	withoutValue   = `, NULL::bytea, false`
	mayRead        = fmt.Sprintf(`(m.is_active AND m.permissions & %d <> 0)`, domain.ReadEntry)
	withValue      = `, CASE WHEN ` + mayRead + ` THEN v.value END, false`
	isSmall        = fmt.Sprintf(`octet_length(v.value) <= %d`, largestInBatch)
	withSmallValue = `, CASE WHEN ` + mayRead + ` AND ` + isSmall + ` THEN v.value END, COALESCE(` + mayRead +
		` AND NOT ` + isSmall + `, false)`
)

// lookupKind determines which statement in lookupStatements a lookup uses. Lookups of the same kind share a statement.
type lookupKind struct {
	credential domain.CredentialKind
	purpose    lookupPurpose
}

type lookupPurpose string

const (
	newestValue lookupPurpose = "the newest value"
	oneVersion  lookupPurpose = "one version"
	forWrite    lookupPurpose = "a write" // does not read the value
)

// lookupSQL holds a statement for one lookup (single) and a statement for several lookups (batch). If only one client
// reads, it completes 6 percent more requests with the statement single than with the statement batch.
type lookupSQL struct{ single, batch string }

// lookupStatements are built once, because building them for each read would have a measurable cost.
var lookupStatements = buildLookupStatements()

// perRow turns the SQL for one lookup into SQL for a batch. It replaces the parameters $1 to $5 with columns of the
// table that has the alias a. Each row of this table holds the parameters of one lookup.
var perRow = strings.NewReplacer("$1", "a.credential", "$2", "a.issued_to", "$3", "a.box", "$4", "a.key", "$5",
	"a.version")

// buildLookupStatements returns the statements for each kind of credential and each purpose. A lookup returns at most
// one row, but the planner does not know this. Without LIMIT 1, the planner could turn the lateral subqueries into
// joins of entire tables.
func buildLookupStatements() map[lookupKind]lookupSQL {
	statements := make(map[lookupKind]lookupSQL)
	for kind, source := range credentialSources {
		build := func(columns, join, value, smallValue string) lookupSQL {
			from := source.from + joinAccess + join + source.where
			return lookupSQL{
				single: `SELECT 1::bigint, ` + callerColumns + accessColumns + columns + value +
					source.columns() + from,
				batch: `SELECT a.n, f.* FROM ` + unnest(source.paramType, "uuid", "text", "text", "bigint") + `
					WITH ORDINALITY AS a (credential, issued_to, box, key, version, n)
					CROSS JOIN LATERAL (
						SELECT ` + callerColumns + accessColumns + columns + smallValue +
					source.columns() + perRow.Replace(from) + ` LIMIT 1) f`,
			}
		}
		statements[lookupKind{kind, newestValue}] = build(newestColumns, joinNewest, withValue, withSmallValue)
		statements[lookupKind{kind, oneVersion}] = build(entryColumns, joinEntry, withValue, withSmallValue)
		statements[lookupKind{kind, forWrite}] = build(entryColumns, joinEntry, withoutValue, withoutValue)
	}
	return statements
}

// lookup is one request of ports.EntryReader.
type lookup struct {
	lookupKind
	credential domain.Credential
	box        domain.BoxName
	key        domain.EntryKey
	version    uint64
}

// lookupResult is an entry snapshot. tooLarge means that the snapshot lacks the value because the value is too large
// for a batch.
type lookupResult struct {
	ports.EntrySnapshot
	tooLarge bool
}

type lookupRequest = batch.Request[lookup, lookupResult]

// maxLookupBatch is the largest number of lookups in one batch.
const maxLookupBatch = 64

// LookUp returns the data that the domain needs to authorize a read of an entry, and the entry itself. See
// ports.EntryReader.
func (s *Store) LookUp(ctx context.Context, credential domain.Credential, box domain.BoxName, key domain.EntryKey,
	version uint64) (ports.EntrySnapshot, error) {
	purpose := newestValue
	if version != 0 {
		purpose = oneVersion
	}
	return s.lookUp(ctx, lookup{
		lookupKind: lookupKind{credential.Kind, purpose},
		credential: credential,
		box:        box,
		key:        key,
		version:    version,
	})
}

// LookUpForWrite returns the data that the domain needs to authorize a write and to check the condition of the write.
// See ports.EntryReader.
func (s *Store) LookUpForWrite(ctx context.Context, credential domain.Credential, box domain.BoxName,
	key domain.EntryKey) (ports.EntrySnapshot, error) {
	return s.lookUp(ctx, lookup{
		lookupKind: lookupKind{credential.Kind, forWrite},
		credential: credential,
		box:        box,
		key:        key,
	})
}

// lookUp runs a lookup in a batch. If the value is too large for a shared batch, lookUp runs the lookup again as a
// batch of one, which returns values of any size.
func (s *Store) lookUp(ctx context.Context, input lookup) (ports.EntrySnapshot, error) {
	result, err := s.lookups.Do(ctx, input)
	if errors.Is(err, batch.ErrCancelled) {
		return ports.EntrySnapshot{}, domain.ErrBusy.Because(err)
	}
	if result.tooLarge {
		result, err = s.lookUpLarge(ctx, input)
	}
	return result.EntrySnapshot, translate(err)
}

// CheckCurrent returns an error if the lookup ran on a timeline that is not the highest timeline that the store has
// seen. If the timeline of the lookup is unknown, CheckCurrent returns nil. See ports.EntryReader.
func (s *Store) CheckCurrent(snapshot ports.EntrySnapshot) error {
	if snapshot.Timeline == 0 || snapshot.Timeline == s.pool.connector.timeline.Load() {
		return nil
	}
	return unavailable(errOldPrimary)
}

// lookUpLarge runs a lookup of a large value as a batch of one.
func (s *Store) lookUpLarge(ctx context.Context, input lookup) (result lookupResult, err error) {
	release, err := s.largeReads.acquire(ctx, ports.Origin(ctx))
	if err != nil {
		return result, domain.ErrBusy.Because(err)
	}
	defer release()
	request := batch.NewRequest[lookup, lookupResult](ctx, input)
	if err := s.runLookups(ctx, []*lookupRequest{request}); err != nil {
		return result, err
	}
	return request.Result()
}

// runLookups runs a batch in one round trip. Lookups of the same kind share a statement.
func (s *Store) runLookups(ctx context.Context, requests []*lookupRequest) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Release()
	timeline := timelineOf(conn)
	if len(requests) == 1 {
		input := &requests[0].Input
		rows, err := conn.Query(ctx, lookupStatements[input.lookupKind].single, lookupParams(input)...)
		if err != nil {
			return translate(err)
		}
		defer rows.Close()
		return translate(s.completeLookups(rows, requests, timeline))
	}
	byKind := make(map[lookupKind][]*lookupRequest, 1)
	for _, request := range requests {
		byKind[request.Input.lookupKind] = append(byKind[request.Input.lookupKind], request)
	}
	var statements pgx.Batch
	for kind, group := range byKind {
		statements.Queue(lookupStatements[kind].batch, lookupArrays(kind.credential, group)...).
			Query(func(rows pgx.Rows) error { return s.completeLookups(rows, group, timeline) })
	}
	return translate(conn.SendBatch(ctx, &statements).Close())
}

// lookupParams returns the values of $1 to $5 for a single statement. The statement for the newest value has no $5.
func lookupParams(input *lookup) []any {
	params := []any{
		credentialParam(input.credential),
		issuedTo(input.credential),
		string(input.box),
		string(input.key),
		number(input.version),
	}
	if input.purpose == newestValue {
		return params[:4]
	}
	return params
}

// lookupArrays returns the values of $1 to $5 for a batch statement. Each value is an array with one element for each
// lookup.
func lookupArrays(kind domain.CredentialKind, group []*lookupRequest) []any {
	return []any{
		credentialArray(kind, group, func(r *lookupRequest) *domain.Credential { return &r.Input.credential }),
		uuids(group, func(r *lookupRequest) pgtype.UUID { return issuedTo(r.Input.credential) }),
		texts(group, func(r *lookupRequest) string { return string(r.Input.box) }),
		texts(group, func(r *lookupRequest) string { return string(r.Input.key) }),
		column(group, func(r *lookupRequest) int64 { return number(r.Input.version) }),
	}
}

// completeLookups completes each request as soon as its row has arrived. There is no row for a credential that does not
// exist. The snapshot of such a request has only a caller whose authentication fails.
func (s *Store) completeLookups(rows pgx.Rows, requests []*lookupRequest, timeline uint32) error {
	var ordinal int64 // the first row has 1
	var caller callerRow
	var access accessRow
	var entry entryRow
	targets := append(make([]any, 0, 32), &ordinal)
	targets = append(append(append(append(targets, caller.targets()...), access.targets()...), entry.targets()...),
		caller.credentialTargets()...)
	uses := callers{clock: s.clock, uses: s.keyUses}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		request := requests[ordinal-1]
		uses.recordUse(request.Input.credential, caller)
		snapshot, err := entry.snapshot(&request.Input, &caller, &access)
		snapshot.Timeline = timeline
		request.Complete(lookupResult{snapshot, entry.tooLarge}, err)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, request := range requests {
		unknown := domain.Access{Caller: domain.Caller{Credential: request.Input.credential}}
		request.Complete(lookupResult{EntrySnapshot: ports.EntrySnapshot{Access: unknown, Timeline: timeline}}, nil)
	}
	return nil
}
