package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	versionColumns = `, v.version, v.sealed_as, v.key_id, v.envelope, v.created_at`
	entryColumns   = `, e.version, e.deleted_at IS NOT NULL, e.updated_at` + versionColumns
	// $4 is the key of the entry, $5 the version or 0 for the newest.
	joinEntry = ` LEFT JOIN entries e ON e.box_id = b.id AND e.key = $4
		LEFT JOIN entry_versions v ON v.box_id = e.box_id AND v.key = e.key AND e.deleted_at IS NULL
			AND v.version = CASE WHEN $5::bigint = 0 THEN e.version ELSE $5 END `

	// The newest version there is belongs to the entry, which is moved to it by the same commit, unless it was deleted. So
	// a read needs no look at the entry, which in a large box costs as much as that at the version.
	newestColumns = `, v.version, false, v.created_at` + versionColumns
	joinNewest    = ` LEFT JOIN LATERAL (SELECT key FROM entries WHERE box_id = b.id AND key = $4 AND deleted_at IS NOT NULL AND NOT swept LIMIT 1) removed ON true
		LEFT JOIN LATERAL (SELECT * FROM entry_versions WHERE box_id = b.id AND key = $4 ORDER BY version DESC LIMIT 1) v ON removed.key IS NULL `
)

// The last columns of an entry are its value and whether that must be asked for alone, being too large to keep others
// waiting. The value leaves storage only for whoever may read it, since to others its size would show in the time they
// wait. The decision stays with the domain.
var (
	withoutValue   = `, NULL::bytea, false`
	mayRead        = fmt.Sprintf(`(m.is_active AND m.permissions & %d <> 0)`, domain.ReadEntry)
	withValue      = `, CASE WHEN ` + mayRead + ` THEN v.value END, false`
	fits           = fmt.Sprintf(`octet_length(v.value) <= %d`, largestInBatch)
	withSmallValue = `, CASE WHEN ` + mayRead + ` AND ` + fits + ` THEN v.value END, COALESCE(` + mayRead +
		` AND NOT ` + fits + `, false)`
)

// factsFor tells apart what is looked up by statements of their own.
type factsFor struct {
	kind   domain.CredentialKind
	wanted factsWanted
}

type factsWanted string

const (
	newestValue factsWanted = "the newest value"
	oneVersion  factsWanted = "one version"
	forWrite    factsWanted = "a write" // which has no use for the value
)

// factsText is a statement about one asker, and one about many. A lone reader gets 1.06 times as much done by the first
// as by the second.
type factsText struct{ one, many string }

// The texts are put together once: on the read path even that would show.
var factsSQL = factsTexts()

// ofAsker turns a statement about $1 to $5 into one about a row of askers.
var ofAsker = strings.NewReplacer("$1", "a.credential", "$2", "a.issued_to", "$3", "a.box", "$4", "a.key", "$5",
	"a.version")

// factsTexts makes the statements. There is never more than one row for an asker: LIMIT 1 keeps the planner from turning
// the look-ups into joins of whole tables.
func factsTexts() map[factsFor]factsText {
	texts := make(map[factsFor]factsText)
	for kind, at := range lookUps {
		text := func(columns, join, value, smallValue string) factsText {
			from := at.from + joinAccess + join + at.where
			return factsText{
				one: `SELECT 1::bigint, ` + callerColumns + accessColumns + columns + value + at.columns() + from,
				many: `SELECT a.n, f.* FROM ` + unnest(at.arg, "uuid", "text", "text", "bigint") + `
					WITH ORDINALITY AS a (credential, issued_to, box, key, version, n)
					CROSS JOIN LATERAL (SELECT ` + callerColumns + accessColumns + columns + smallValue + at.columns() +
					ofAsker.Replace(from) + ` LIMIT 1) f`,
			}
		}
		texts[factsFor{kind, newestValue}] = text(newestColumns, joinNewest, withValue, withSmallValue)
		texts[factsFor{kind, oneVersion}] = text(entryColumns, joinEntry, withValue, withSmallValue)
		texts[factsFor{kind, forWrite}] = text(entryColumns, joinEntry, withoutValue, withoutValue)
	}
	return texts
}

// factsAsked is what one request wants to know.
type factsAsked struct {
	factsFor
	credential domain.Credential
	box        domain.BoxName
	key        domain.EntryKey
	version    uint64
}

// factsFound are the facts, unless they must be asked for alone.
type factsFound struct {
	ports.EntrySnapshot
	alone bool
}

type factsCall = call[factsAsked, factsFound]

const factsBatch = 64

// Facts returns all that decides and answers the read of an entry; see ports.EntryReader.
func (s *Store) LookUp(ctx context.Context, credential domain.Credential, box domain.BoxName, key domain.EntryKey,
	version uint64) (ports.EntrySnapshot, error) {
	wanted := newestValue
	if version != 0 {
		wanted = oneVersion
	}
	return s.factsOf(ctx, factsAsked{factsFor{credential.Kind, wanted}, credential, box, key, version})
}

// LookUpForWrite returns all that decides a write; see ports.EntryReader.
func (s *Store) LookUpForWrite(ctx context.Context, credential domain.Credential, box domain.BoxName,
	key domain.EntryKey) (ports.EntrySnapshot, error) {
	return s.factsOf(ctx, factsAsked{factsFor{credential.Kind, forWrite}, credential, box, key, 0})
}

func (s *Store) factsOf(ctx context.Context, asked factsAsked) (ports.EntrySnapshot, error) {
	found, err := s.facts.do(ctx, asked)
	if errors.Is(err, errRequestEnded) {
		return ports.EntrySnapshot{}, domain.ErrBusy.Because(err)
	}
	if found.alone {
		c := &factsCall{asked: asked, done: make(chan struct{})}
		if err = s.lookUpFacts(ctx, []*factsCall{c}); err == nil {
			found, err = c.result, c.err
		}
	}
	return found.EntrySnapshot, translate(err)
}

// lookUpFacts answers a batch in one round trip, by one statement for each kind of question in it.
func (s *Store) lookUpFacts(ctx context.Context, batch []*factsCall) error {
	ctx, cancel := context.WithTimeout(ctx, StatementTimeout)
	defer cancel()
	if len(batch) == 1 {
		rows, err := s.pool.Query(ctx, factsSQL[batch[0].asked.factsFor].one, factsArgs(&batch[0].asked)...)
		if err != nil {
			return translate(err)
		}
		defer rows.Close()
		return translate(s.settleFacts(rows, batch))
	}
	parts := make(map[factsFor][]*factsCall, 1)
	for _, c := range batch {
		parts[c.asked.factsFor] = append(parts[c.asked.factsFor], c)
	}
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Release()
	var statements pgx.Batch
	for what, part := range parts {
		statements.Queue(factsSQL[what].many,
			factsArrays(what.kind, part)...).Query(func(rows pgx.Rows) error { return s.settleFacts(rows, part) })
	}
	return translate(conn.SendBatch(ctx, &statements).Close())
}

// factsArgs are $1 to $5 of a statement about one. That about the newest value has no $5.
func factsArgs(asked *factsAsked) []any {
	args := []any{credentialArg(asked.credential), issuedTo(asked.credential), string(asked.box), string(asked.key),
		number(asked.version)}
	if asked.wanted == newestValue {
		return args[:4]
	}
	return args
}

// factsArrays are $1 to $5 of a statement about many.
func factsArrays(kind domain.CredentialKind, part []*factsCall) []any {
	return []any{
		credentialArray(kind, part, func(c *factsCall) *domain.Credential { return &c.asked.credential }),
		column(part, func(c *factsCall) pgtype.UUID { return issuedTo(c.asked.credential) }),
		column(part, func(c *factsCall) string { return string(c.asked.box) }),
		column(part, func(c *factsCall) string { return string(c.asked.key) }),
		column(part, func(c *factsCall) int64 { return number(c.asked.version) }),
	}
}

// factsRow is where the columns of an entry and of its version are scanned to.
type factsRow struct {
	entryVersion     pgtype.Int8
	deleted          pgtype.Bool
	updated, created pgtype.Timestamptz
	version, sealed  pgtype.Int8
	serverKey        pgtype.UUID
	envelope, value  []byte
	alone            bool
}

func (r *factsRow) targets() []any {
	return []any{&r.entryVersion, &r.deleted, &r.updated, &r.version, &r.sealed, &r.serverKey, &r.envelope, &r.created,
		&r.value, &r.alone}
}

// settleFacts answers each request as soon as its row is there. To a credential that there is not, there is no row.
func (s *Store) settleFacts(rows pgx.Rows, part []*factsCall) error {
	var at int64
	var who callerRow
	var what accessRow
	var row factsRow
	targets := append(make([]any, 0, 32), &at)
	targets = append(append(append(append(targets, who.targets()...), what.targets()...), row.targets()...),
		who.credentialTargets()...)
	noted := callers{clock: s.clock, uses: s.uses}
	for rows.Next() {
		if err := rows.Scan(targets...); err != nil {
			return err
		}
		asked := &part[at-1].asked
		noted.note(asked.credential, who)
		facts, err := row.facts(asked, &who, &what)
		part[at-1].settle(factsFound{facts, row.alone}, err)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, c := range part {
		c.settle(factsFound{EntrySnapshot: ports.EntrySnapshot{Access: domain.Access{Caller: domain.Caller{Credential: c.asked.credential}}}}, nil)
	}
	return nil
}

func (r *factsRow) facts(asked *factsAsked, who *callerRow, what *accessRow) (ports.EntrySnapshot, error) {
	caller, err := who.caller(asked.credential)
	if err != nil {
		return ports.EntrySnapshot{}, err
	}
	access, err := what.access(caller)
	facts := ports.EntrySnapshot{Access: access}
	if err != nil || !r.entryVersion.Valid {
		return facts, err
	}
	facts.Entry = domain.Entry{
		Box:       access.Box.ID,
		Key:       asked.key,
		Version:   unsigned(r.entryVersion.Int64),
		Deleted:   r.deleted.Bool,
		UpdatedAt: timeOf(r.updated),
	}
	if !r.version.Valid {
		return facts, nil
	}
	facts.Version = ports.StoredVersion{
		Place: ports.Place{
			Box:      access.Box.ID,
			Key:      asked.key,
			Version:  unsigned(r.version.Int64),
			SealedAs: unsigned(r.sealed.Int64),
		},
		Sealed:    ports.SealedValue{ServerKey: r.serverKey.Bytes, Envelope: r.envelope, Value: r.value},
		CreatedAt: timeOf(r.created),
	}
	return facts, nil
}

// number passes the number of a version, which the domain keeps within 63 bits.
func number(version uint64) int64 { return int64(version) } //nolint:gosec // see above

func unsigned(stored int64) uint64 { return uint64(stored) } //nolint:gosec // stored by number
