package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
	"github.com/lockbox-go/lockbox/domain"
)

// apiKeys implements ports.APIKeys. The table api_keys contains only the identifier of each API key, not its token.
type apiKeys struct{ q querier }

// apiKeyColumns are columns of the table api_keys, to which a statement must give the alias k.
const apiKeyColumns = `k.id, k.user_id, k.name, k.key_id, k.created_at, k.expires_at, k.last_used_at`

// collectAPIKey is scanAPIKey with a single parameter of type pgx.CollectableRow, for the function collect.
func collectAPIKey(row pgx.CollectableRow) (domain.APIKey, error) { return scanAPIKey(row) }

// scanAPIKey reads apiKeyColumns. The argument more contains the targets for any further columns of the row.
func scanAPIKey(row pgx.Row, more ...any) (domain.APIKey, error) {
	var key domain.APIKey
	var id, user, signedBy [16]byte
	var expires, used pgtype.Timestamptz
	err := row.Scan(append([]any{&id, &user, &key.Name, &signedBy, &key.CreatedAt, &expires, &used}, more...)...)
	key.ID, key.User, key.SignedBy = id, user, signedBy
	key.CreatedAt, key.ExpiresAt, key.LastUsedAt = key.CreatedAt.UTC(), timeOf(expires), timeOf(used)
	return key, err
}

// Add rejects an API key that was signed under a retired server key.
func (r apiKeys) Add(ctx context.Context, key domain.APIKey) error {
	return translate(addUnderKey(ctx, r.q, `INSERT INTO api_keys (key_id, id, user_id, name, created_at, expires_at)
		SELECT $1, $2, $3, $4, $5, $6`+keyInUse, key.SignedBy,
		uuid(key.ID), uuid(key.User), key.Name, key.CreatedAt, timestamp(key.ExpiresAt)))
}

func (r apiKeys) Get(ctx context.Context, id domain.CredentialID) (domain.APIKey, error) {
	key, err := scanAPIKey(r.q.QueryRow(ctx, `SELECT `+apiKeyColumns+` FROM api_keys k WHERE id = $1`, uuid(id)))
	return key, orNotFound(err, domain.ErrAPIKeyNotFound)
}

// List sorts the API keys by identifier, which begins with the time of creation.
func (r apiKeys) List(ctx context.Context, user domain.UserID) ([]domain.APIKey, error) {
	rows, err := r.q.Query(ctx, `SELECT `+apiKeyColumns+` FROM api_keys k WHERE user_id = $1 ORDER BY id`, uuid(user))
	return collect(rows, err, collectAPIKey)
}

// Count is exact only if the caller has locked the user with Users.Lock.
func (r apiKeys) Count(ctx context.Context, user domain.UserID) (int, error) {
	var count int
	err := r.q.QueryRow(ctx, `SELECT count(*) FROM api_keys WHERE user_id = $1`, uuid(user)).Scan(&count)
	return count, translate(err)
}

func (r apiKeys) Delete(ctx context.Context, id domain.CredentialID) error {
	_, err := r.q.Exec(ctx, `DELETE FROM api_keys WHERE id = $1`, uuid(id))
	return translate(err)
}

func (r apiKeys) DeleteAll(ctx context.Context, user domain.UserID) error {
	_, err := r.q.Exec(ctx, `DELETE FROM api_keys WHERE user_id = $1`, uuid(user))
	return translate(err)
}

// sessions implements ports.Sessions.
type sessions struct{ q querier }

// insertSession inserts no row if the server key $1 was retired.
const insertSession = `INSERT INTO sessions (key_id, id, user_id, epoch, created_at, expires_at)
	SELECT $1, $2, $3, $4, $5, $6` + keyInUse

// sessionArgs returns all parameters of insertSession except $1.
func sessionArgs(session domain.Session) []any {
	return []any{uuid(session.ID), uuid(session.User), session.Epoch, session.CreatedAt, session.ExpiresAt}
}

// Add returns domain.ErrWrongCredentials if the user was deleted after the password had been
// checked.
func (r sessions) Add(ctx context.Context, session domain.Session) error {
	err := addUnderKey(ctx, r.q, insertSession, session.SignedBy, sessionArgs(session)...)
	if sqlstate.Of(err) == sqlstate.ForeignKeyViolation {
		return domain.ErrWrongCredentials
	}
	return translate(err)
}

func (r sessions) CreatedAt(ctx context.Context, id domain.CredentialID) (time.Time, error) {
	var created time.Time
	err := r.q.QueryRow(ctx, `SELECT created_at FROM sessions WHERE id = $1`, uuid(id)).Scan(&created)
	return created.UTC(), orNotFound(err, domain.ErrUnauthenticated)
}
