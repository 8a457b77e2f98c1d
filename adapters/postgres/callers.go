package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// callers implements ports.Callers. Its SQL statements differ between kinds of credentials only in the parts that
// credentialSources contains.
type callers struct {
	q     querier
	clock ports.Clock
	// uses records the use of API keys. It is nil inside a transaction: the request has looked up the caller, and
	// recorded the use of its API key, before the transaction began.
	uses *keyUses
}

const (
	callerColumns = `u.id, u.name, u.role, u.is_active, COALESCE(s.owner_id = u.id, false), u.group_name`

	fromAPIKey = `
		FROM api_keys c JOIN users u ON u.id = c.user_id JOIN system s ON s.id = 1 `
	// A session is valid only if its epoch equals the session epoch of the user.
	fromSession = `
		FROM sessions c JOIN users u ON u.id = c.user_id AND u.session_epoch = c.epoch JOIN system s ON s.id = 1 `
	fromPair = `
		FROM token_pairs c JOIN token_families f ON f.id = c.family_id AND f.revoked_at IS NULL AND c.spent_at IS NULL
			JOIN users u ON u.id = f.user_id AND u.session_epoch = f.epoch JOIN system s ON s.id = 1 `

	// $1 is the ID of the credential, or the digest of an opaque token. $2 is the user to whom the credential was
	// issued.
	thisCredential   = ` WHERE c.id = $1 AND c.user_id = $2`
	thisAccessToken  = ` WHERE c.access_hash = $1 AND f.user_id = $2`
	thisRefreshToken = ` WHERE c.refresh_hash = $1 AND f.user_id = $2`

	accessColumns = `, b.id, b.name, b.owner_id, b.kdf_salt, b.box_key_id, b.created_at, b.updated_at,
		m.role, m.is_active, m.permissions`
	// $3 is the name of the box.
	joinAccess = `
		LEFT JOIN boxes b ON b.name = $3 LEFT JOIN box_users m ON m.box_id = b.id AND m.user_id = u.id `
)

// Each statement consists of these parts, in this order: SELECT, callerColumns, further columns, the columns of the
// credential, from, further joins, and where.

// credentialSource is the SQL that finds a credential of one kind.
type credentialSource struct {
	// paramType is the type of $1.
	paramType string
	// name, expiry and lastUse are SQL expressions. They select the name of the credential, the time when it expires,
	// and the time when it was last used.
	name, expiry, lastUse string
	from, where           string
}

// credentialSources has an entry for every kind of credential. An access token has its own expiry. A refresh token
// expires with its family.
var credentialSources = map[domain.CredentialKind]credentialSource{
	domain.APIKeyCredential: {
		paramType: "uuid",
		name:      "c.name",
		expiry:    "c.expires_at",
		lastUse:   "c.last_used_at",
		from:      fromAPIKey,
		where:     thisCredential,
	},
	domain.SessionCredential: {
		paramType: "uuid",
		name:      "''",
		expiry:    "c.expires_at",
		lastUse:   "NULL::timestamptz",
		from:      fromSession,
		where:     thisCredential,
	},
	domain.AccessTokenCredential: {
		paramType: "bytea",
		name:      "''",
		expiry:    "c.access_expires_at",
		lastUse:   "NULL::timestamptz",
		from:      fromPair,
		where:     thisAccessToken,
	},
	domain.RefreshTokenCredential: {
		paramType: "bytea",
		name:      "''",
		expiry:    "f.expires_at",
		lastUse:   "NULL::timestamptz",
		from:      fromPair,
		where:     thisRefreshToken,
	},
}

// columns returns the columns of the credential. They are the last columns of every statement about a caller.
func (s credentialSource) columns() string {
	return `, c.id, ` + s.name + `, ` + s.expiry + `, ` + s.lastUse
}

// credentialParam returns the value of $1 in every statement about a caller.
func credentialParam(credential domain.Credential) any {
	if credential.Digest.IsZero() {
		return uuid(credential.ID)
	}
	return credential.Digest[:]
}

// issuedTo returns the value of $2 in every statement about a caller. It is the user that the token names.
func issuedTo(credential domain.Credential) pgtype.UUID { return uuid(credential.User) }

// credentialArray returns an array with the credentialParam of each item. The credentials of all items must be of the
// given kind.
func credentialArray[C any](kind domain.CredentialKind, items []C, credential func(C) *domain.Credential) any {
	if credentialSources[kind].paramType == "bytea" {
		return column(items, func(c C) []byte { return credential(c).Digest[:] })
	}
	return uuids(items, func(c C) pgtype.UUID { return uuid(credential(c).ID) })
}

// callerRow receives callerColumns and the columns of the credential.
type callerRow struct {
	id               [16]byte
	name, role       string
	active, owner    bool
	group            pgtype.Text
	credentialID     [16]byte
	credentialName   string
	expires, lastUse pgtype.Timestamptz
}

// targets returns the arguments of Scan for callerColumns.
func (r *callerRow) targets() []any {
	return []any{&r.id, &r.name, &r.role, &r.active, &r.owner, &r.group}
}

// credentialTargets returns the arguments of Scan for credentialSource.columns.
func (r *callerRow) credentialTargets() []any {
	return []any{&r.credentialID, &r.credentialName, &r.expires, &r.lastUse}
}

// caller converts the columns in r to a domain.Caller. The ID of the credential comes from the row, because an opaque
// token does not contain the ID.
func (r *callerRow) caller(credential domain.Credential) (domain.Caller, error) {
	role, err := domain.ParseRole(r.role)
	if err != nil {
		return domain.Caller{}, err
	}
	group, err := groupOf(r.group, r.owner)
	credential.ID, credential.User = r.credentialID, r.id
	return domain.Caller{
		UserID:         r.id,
		Name:           domain.UserName(r.name),
		Role:           role,
		Active:         r.active,
		Owner:          r.owner,
		Group:          group,
		Credential:     credential,
		CredentialName: r.credentialName,
		ExpiresAt:      timeOf(r.expires),
	}, err
}

// accessRow receives accessColumns. If the box does not exist, all of accessColumns are null. If the caller is not a
// member of the box, only role, active and permissions are null.
type accessRow struct {
	boxID, owner     pgtype.UUID
	boxName          pgtype.Text
	salt, key        []byte
	created, updated pgtype.Timestamptz
	role             pgtype.Text
	active           pgtype.Bool
	permissions      pgtype.Int2
}

// targets returns the arguments of Scan for accessColumns.
func (r *accessRow) targets() []any {
	return []any{&r.boxID, &r.boxName, &r.owner, &r.salt, &r.key, &r.created, &r.updated, &r.role, &r.active,
		&r.permissions}
}

// access converts the columns in r to a domain.Access.
func (r *accessRow) access(caller domain.Caller) (domain.Access, error) {
	access := domain.Access{Caller: caller}
	if !r.boxID.Valid {
		return access, nil
	}
	access.Box = domain.Box{
		ID:        r.boxID.Bytes,
		Name:      domain.BoxName(r.boxName.String),
		Owner:     r.owner.Bytes,
		CreatedAt: timeOf(r.created),
		UpdatedAt: timeOf(r.updated),
	}
	copy(access.Box.Salt[:], r.salt)
	access.Box.Key = keyIDOf(r.key)
	if !r.role.Valid {
		return access, nil
	}
	role, err := domain.ParseBoxRole(r.role.String)
	access.Member = &domain.BoxUser{
		Box:         access.Box.ID,
		User:        caller.UserID,
		Name:        caller.Name,
		Role:        role,
		Active:      r.active.Bool,
		Permissions: permissionsOf(r.permissions.Int16),
	}
	return access, err
}

// permissionsOf ignores bits that this version of Lockbox does not know.
func permissionsOf(stored int16) domain.Permissions {
	return domain.Permissions(stored) & domain.AllPermissions //nolint:gosec // four bits
}

// Caller finds no row if the credential was revoked or its user was deleted. It then returns a domain.Caller whose
// authentication fails.
func (c callers) Caller(ctx context.Context, credential domain.Credential) (domain.Caller, error) {
	var row callerRow
	source := credentialSources[credential.Kind]
	err := c.q.QueryRow(ctx, `SELECT `+callerColumns+source.columns()+source.from+source.where,
		credentialParam(credential), issuedTo(credential)).
		Scan(append(row.targets(), row.credentialTargets()...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.Caller{Credential: credential}, nil
	}
	if err != nil {
		return domain.Caller{}, translate(err)
	}
	c.recordUse(credential, row)
	return row.caller(credential)
}

// Access is like Caller, but the statement also reads the box and the caller's membership in it.
func (c callers) Access(ctx context.Context, credential domain.Credential, box domain.BoxName) (domain.Access, error) {
	access, row, err := scanAccess(c.q.QueryRow(ctx, accessSQL(credential.Kind), credentialParam(credential),
		issuedTo(credential), string(box)), credential)
	if err != nil || row == nil {
		return access, translate(err)
	}
	c.recordUse(credential, *row)
	return access, nil
}

// accessSQL returns the statement that looks up a caller and a box. $1 and $2 are the parameters of
// credentialSource.where, and $3 is the parameter of joinAccess.
func accessSQL(kind domain.CredentialKind) string {
	source := credentialSources[kind]
	return `SELECT ` + callerColumns + accessColumns + source.columns() + source.from + joinAccess + source.where
}

// scanAccess reads the row of accessSQL. If there is no row, it returns a caller whose authentication fails, and a nil
// callerRow.
func scanAccess(row pgx.Row, credential domain.Credential) (domain.Access, *callerRow, error) {
	var found callerRow
	var membership accessRow
	targets := append(append(found.targets(), membership.targets()...), found.credentialTargets()...)
	err := row.Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.Access{Caller: domain.Caller{Credential: credential}}, nil, nil
	}
	if err != nil {
		return domain.Access{}, nil, err
	}
	caller, err := found.caller(credential)
	if err != nil {
		return domain.Access{}, nil, err
	}
	access, err := membership.access(caller)
	return access, &found, err
}

// recordUse records the use of an API key, at most once a minute.
func (c callers) recordUse(credential domain.Credential, row callerRow) {
	minute := c.clock.Now().Truncate(time.Minute)
	if c.uses != nil && credential.Kind == domain.APIKeyCredential && row.active && timeOf(row.lastUse).Before(minute) {
		c.uses.record(credential.ID, minute)
	}
}
