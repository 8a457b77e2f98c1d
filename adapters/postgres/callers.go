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

// callers answers who somebody is. The statements differ only in where a credential is looked up.
type callers struct {
	q     querier
	clock ports.Clock
	// uses is nil inside a transaction: that looks a caller up again, who was noted before it.
	uses *keyUses
}

const (
	callerColumns = `u.id, u.name, u.role, u.is_active, COALESCE(s.owner_id = u.id, false), u.group_name`

	fromAPIKey = `
		FROM api_keys c JOIN users u ON u.id = c.user_id JOIN system s ON s.id = 1 `
	// A session of an earlier epoch than the user's is dead.
	fromSession = `
		FROM sessions c JOIN users u ON u.id = c.user_id AND u.session_epoch = c.epoch JOIN system s ON s.id = 1 `
	fromPair = `
		FROM token_pairs c JOIN token_families f ON f.id = c.family_id AND f.revoked_at IS NULL AND c.spent_at IS NULL
			JOIN users u ON u.id = f.user_id AND u.session_epoch = f.epoch JOIN system s ON s.id = 1 `

	// $1 is the credential, or the digest of an opaque one, $2 the user that it was issued to.
	thisCredential   = ` WHERE c.id = $1 AND c.user_id = $2`
	thisAccessToken  = ` WHERE c.access_hash = $1 AND $2::uuid IS NULL`
	thisRefreshToken = ` WHERE c.refresh_hash = $1 AND $2::uuid IS NULL`

	accessColumns = `, b.id, b.name, b.owner_id, b.kdf_salt, b.created_at, b.updated_at, m.role, m.is_active, m.permissions`
	// $3 is the name of the box.
	joinAccess = ` LEFT JOIN boxes b ON b.name = $3 LEFT JOIN box_users m ON m.box_id = b.id AND m.user_id = u.id `
)

// lookUp is where a kind of credential is looked up, and how. name, expiry and lastUse are of the credential.
type lookUp struct {
	// arg is the type of $1.
	arg                   string
	name, expiry, lastUse string
	from, where           string
}

// The expiry of a pair is that of its access token. A refresh token lives as long as its family.
var lookUps = map[domain.CredentialKind]lookUp{
	domain.APIKeyCredential: {
		arg:     "uuid",
		name:    "c.name",
		expiry:  "c.expires_at",
		lastUse: "c.last_used_at",
		from:    fromAPIKey,
		where:   thisCredential,
	},
	domain.SessionCredential: {
		arg:     "uuid",
		name:    "''",
		expiry:  "c.expires_at",
		lastUse: "NULL::timestamptz",
		from:    fromSession,
		where:   thisCredential,
	},
	domain.AccessTokenCredential: {
		arg:     "bytea",
		name:    "''",
		expiry:  "c.access_expires_at",
		lastUse: "NULL::timestamptz",
		from:    fromPair,
		where:   thisAccessToken,
	},
	domain.RefreshTokenCredential: {
		arg:     "bytea",
		name:    "''",
		expiry:  "f.expires_at",
		lastUse: "NULL::timestamptz",
		from:    fromPair,
		where:   thisRefreshToken,
	},
}

// columns are those of the credential, which come last.
func (l lookUp) columns() string {
	return `, c.id, ` + l.name + `, ` + l.expiry + `, ` + l.lastUse
}

// credentialArg is $1 of every statement about a caller.
func credentialArg(credential domain.Credential) any {
	if credential.Digest.IsZero() {
		return uuid(credential.ID)
	}
	return credential.Digest[:]
}

// issuedTo is $2: nothing of an opaque credential, which is found by its digest, says whose it is.
func issuedTo(credential domain.Credential) pgtype.UUID {
	if credential.Digest.IsZero() {
		return uuid(credential.User)
	}
	return pgtype.UUID{}
}

// credentialArray is credentialArg of many who come with one kind of credential.
func credentialArray[C any](kind domain.CredentialKind, of []C, credential func(C) *domain.Credential) any {
	if lookUps[kind].arg == "bytea" {
		return column(of, func(c C) []byte { return credential(c).Digest[:] })
	}
	return column(of, func(c C) pgtype.UUID { return uuid(credential(c).ID) })
}

// callerRow is where the columns of a caller are scanned to.
type callerRow struct {
	id               [16]byte
	name, role       string
	active, owner    bool
	group            pgtype.Text
	credentialID     [16]byte
	credentialName   string
	expires, lastUse pgtype.Timestamptz
}

func (r *callerRow) targets() []any {
	return []any{&r.id, &r.name, &r.role, &r.active, &r.owner, &r.group}
}

func (r *callerRow) credentialTargets() []any {
	return []any{&r.credentialID, &r.credentialName, &r.expires, &r.lastUse}
}

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

// accessRow is where the columns of a box and of the caller's part in it are scanned to.
type accessRow struct {
	boxID, owner     pgtype.UUID
	boxName          pgtype.Text
	salt             []byte
	created, updated pgtype.Timestamptz
	role             pgtype.Text
	active           pgtype.Bool
	permissions      pgtype.Int2
}

func (r *accessRow) targets() []any {
	return []any{&r.boxID, &r.boxName, &r.owner, &r.salt, &r.created, &r.updated, &r.role, &r.active, &r.permissions}
}

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

func permissionsOf(stored int16) domain.Permissions {
	return domain.Permissions(stored) & domain.AllPermissions //nolint:gosec // four bits
}

func (c callers) Caller(ctx context.Context, credential domain.Credential) (domain.Caller, error) {
	var row callerRow
	at := lookUps[credential.Kind]
	err := c.q.QueryRow(ctx, `SELECT `+callerColumns+at.columns()+at.from+at.where, credentialArg(credential),
		issuedTo(credential)).
		Scan(append(row.targets(), row.credentialTargets()...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.Caller{Credential: credential}, nil
	}
	if err != nil {
		return domain.Caller{}, translate(err)
	}
	c.note(credential, row)
	return row.caller(credential)
}

func (c callers) Access(ctx context.Context, credential domain.Credential, box domain.BoxName) (domain.Access, error) {
	access, who, err := scanAccess(c.q.QueryRow(ctx, accessSQL(credential.Kind), credentialArg(credential),
		issuedTo(credential), string(box)), credential)
	if err != nil || who == nil {
		return access, translate(err)
	}
	c.note(credential, *who)
	return access, nil
}

// accessSQL looks up a caller and a box; see lookUps and joinAccess for its arguments.
func accessSQL(kind domain.CredentialKind) string {
	at := lookUps[kind]
	return `SELECT ` + callerColumns + accessColumns + at.columns() + at.from + joinAccess + at.where
}

// scanAccess reads a row of accessSQL. Without one, who is nil and nobody is the caller.
func scanAccess(row pgx.Row, credential domain.Credential) (domain.Access, *callerRow, error) {
	var who callerRow
	var what accessRow
	targets := append(append(who.targets(), what.targets()...), who.credentialTargets()...)
	err := row.Scan(targets...)
	if errors.Is(err, pgx.ErrNoRows) {
		return domain.Access{Caller: domain.Caller{Credential: credential}}, nil, nil
	}
	if err != nil {
		return domain.Access{}, nil, err
	}
	caller, err := who.caller(credential)
	if err != nil {
		return domain.Access{}, nil, err
	}
	access, err := what.access(caller)
	return access, &who, err
}

// note takes down that an API key was used, once a minute.
func (c callers) note(credential domain.Credential, row callerRow) {
	minute := c.clock.Now().Truncate(time.Minute)
	if c.uses != nil && credential.Kind == domain.APIKeyCredential && row.active && timeOf(row.lastUse).Before(minute) {
		c.uses.note(credential.ID, minute)
	}
}
