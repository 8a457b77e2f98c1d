package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// boxKeyrings implements ports.BoxKeyrings.
type boxKeyrings struct{ q querier }

// Add requires that the caller has locked the box. It changes no entry if the new keyring has the same key as the
// previous keyring.
func (r boxKeyrings) Add(ctx context.Context, keyring domain.BoxKeyring) error {
	if err := r.insert(ctx, keyring); err != nil {
		return err
	}
	if err := r.changeKey(ctx, keyring); err != nil {
		return err
	}
	_, err := r.q.Exec(ctx, `UPDATE box_keyrings SET surplus = true WHERE box_id = $1 AND NOT surplus AND sequence <=
		(SELECT sequence FROM box_keyrings WHERE box_id = $1 ORDER BY sequence DESC OFFSET $2 LIMIT 1)`,
		uuid(keyring.Box), domain.KeptKeyrings)
	return translate(err)
}

// insert stores the keyring and its recipients. One statement inserts all recipients.
func (r boxKeyrings) insert(ctx context.Context, keyring domain.BoxKeyring) error {
	if _, err := r.q.Exec(ctx, `INSERT INTO box_keyrings
			(box_id, sequence, key_id, author, head, chain, signature, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		uuid(keyring.Box), number(keyring.Sequence), keyring.Key[:], keyring.Author[:], keyring.KeyringHead.Bytes(),
		keyring.Chain, keyring.Signature, keyring.CreatedAt); err != nil {
		return translate(err)
	}
	_, err := r.q.Exec(ctx, `INSERT INTO box_keyring_recipients (box_id, sequence, fingerprint, user_id, wrapped)
		SELECT $1, $2, a.* FROM unnest($3::bytea[], $4::uuid[], $5::bytea[]) a`,
		uuid(keyring.Box), number(keyring.Sequence),
		column(keyring.Recipients, func(k domain.KeyRecipient) []byte { return k.Fingerprint[:] }),
		column(keyring.Recipients, func(k domain.KeyRecipient) pgtype.UUID { return uuid(k.User) }),
		column(keyring.Recipients, func(k domain.KeyRecipient) []byte { return k.Wrapped }))
	return translate(err)
}

// changeKey makes the key of the keyring the current key of the box. If it already is the current key, changeKey does
// nothing. Otherwise changeKey stores the new key in every entry that has a value. It waits for each write that has
// already locked an entry. A write that locks an entry after changeKey has updated it reads the new key from the row of
// the entry; see buildWriteStatements. A write to an entry without a value first increments the entry count in the row
// of the box. changeKey has updated this row, so such a write waits until this transaction ends.
func (r boxKeyrings) changeKey(ctx context.Context, keyring domain.BoxKeyring) error {
	changed, err := r.q.Exec(ctx,
		`UPDATE boxes SET box_key_id = $2 WHERE id = $1 AND box_key_id IS DISTINCT FROM $2`,
		uuid(keyring.Box), keyring.Key[:])
	if err != nil || changed.RowsAffected() == 0 {
		return translate(err)
	}
	fresh, err := r.q.Exec(ctx, `INSERT INTO box_key_ids (box_id, key_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
		uuid(keyring.Box), keyring.Key[:])
	if err != nil {
		return translate(err)
	}
	if fresh.RowsAffected() == 0 {
		return domain.ErrKeyIDUsed
	}
	if err := allowLargeDeletion(ctx, r.q); err != nil {
		return err
	}
	_, err = r.q.Exec(ctx, `UPDATE entries SET box_key_id = $2 WHERE box_id = $1 AND deleted_at IS NULL`,
		uuid(keyring.Box), keyring.Key[:])
	return translate(err)
}

// selectKeyring is a SELECT statement that ends with WHERE. Each method appends its condition.
const selectKeyring = `SELECT head, chain, signature, created_at FROM box_keyrings WHERE `

func (r boxKeyrings) Newest(ctx context.Context, box domain.BoxID) (domain.BoxKeyring, error) {
	return scanKeyring(r.q.QueryRow(ctx, selectKeyring+`box_id = $1 ORDER BY sequence DESC LIMIT 1`, uuid(box)))
}

func (r boxKeyrings) Get(ctx context.Context, box domain.BoxID, sequence uint64) (domain.BoxKeyring, error) {
	return scanKeyring(r.q.QueryRow(ctx, selectKeyring+`box_id = $1 AND sequence = $2`, uuid(box), number(sequence)))
}

// scanKeyring reads the columns of selectKeyring. If it cannot parse the head, it returns a ports.TamperedError,
// because Lockbox never stores such a head.
func scanKeyring(row pgx.Row) (domain.BoxKeyring, error) {
	var keyring domain.BoxKeyring
	var head []byte
	err := row.Scan(&head, &keyring.Chain, &keyring.Signature, &keyring.CreatedAt)
	if err != nil {
		return domain.BoxKeyring{}, orNotFound(err, domain.ErrKeyringNotFound)
	}
	if keyring.KeyringHead, err = domain.ParseKeyringHead(head); err != nil {
		return domain.BoxKeyring{}, &ports.TamperedError{What: "head of a keyring"}
	}
	keyring.CreatedAt = keyring.CreatedAt.UTC()
	return keyring, nil
}

func (r boxKeyrings) Recipients(ctx context.Context, box domain.BoxID, sequence uint64,
	whole bool) ([]domain.KeyRecipient, error) {
	rows, err := r.q.Query(ctx, `SELECT r.user_id, COALESCE(u.name, ''), r.fingerprint, CASE WHEN $3 THEN r.wrapped END
		FROM box_keyring_recipients r LEFT JOIN users u ON u.id = r.user_id
		WHERE r.box_id = $1 AND r.sequence = $2 ORDER BY r.fingerprint`, uuid(box), number(sequence), whole)
	return collect(rows, err, func(row pgx.CollectableRow) (domain.KeyRecipient, error) {
		var recipient domain.KeyRecipient
		var user [16]byte
		var name string
		var fingerprint []byte
		err := row.Scan(&user, &name, &fingerprint, &recipient.Wrapped)
		recipient.User, recipient.Name = user, domain.UserName(name)
		copy(recipient.Fingerprint[:], fingerprint)
		return recipient, err
	})
}

func (r boxKeyrings) Wrapped(ctx context.Context, box domain.BoxID, sequence uint64,
	user domain.UserID) ([]byte, error) {
	var wrapped []byte
	err := r.q.QueryRow(ctx, `SELECT (SELECT r.wrapped FROM box_keyring_recipients r
			JOIN identities i ON i.fingerprint = r.fingerprint AND i.user_id = r.user_id AND i.is_current
		WHERE r.box_id = $1 AND r.sequence = $2 AND r.user_id = $3)`,
		uuid(box), number(sequence), uuid(user)).Scan(&wrapped)
	return wrapped, translate(err)
}

func (r boxKeyrings) Members(ctx context.Context, box domain.BoxID) ([]domain.KeyringMember, error) {
	rows, err := r.q.Query(ctx, `SELECT u.id, u.name, i.fingerprint FROM box_users m JOIN users u ON u.id = m.user_id
			LEFT JOIN identities i ON i.user_id = u.id AND i.is_current
		WHERE m.box_id = $1 AND m.is_active AND u.is_active ORDER BY u.name`, uuid(box))
	return collect(rows, err, func(row pgx.CollectableRow) (domain.KeyringMember, error) {
		var member domain.KeyringMember
		var user [16]byte
		var name string
		var fingerprint []byte
		err := row.Scan(&user, &name, &fingerprint)
		member.User, member.Name = user, domain.UserName(name)
		copy(member.Fingerprint[:], fingerprint)
		return member, err
	})
}

func (r boxKeyrings) Past(ctx context.Context, box domain.BoxID, before uint64) ([]ports.PastKeyring, error) {
	rows, err := r.q.Query(ctx, `SELECT k.sequence, k.key_id, k.created_at, COALESCE(u.name, '') FROM box_keyrings k
			LEFT JOIN identities i ON i.fingerprint = k.author LEFT JOIN users u ON u.id = i.user_id
		WHERE k.box_id = $1 AND k.sequence < $2 ORDER BY k.sequence DESC`, uuid(box), number(before))
	return collect(rows, err, func(row pgx.CollectableRow) (ports.PastKeyring, error) {
		var past ports.PastKeyring
		var sequence int64
		var key []byte
		var author string
		err := row.Scan(&sequence, &key, &past.CreatedAt, &author)
		past.Sequence, past.Key, past.Author = unsigned(sequence), keyIDOf(key), domain.UserName(author)
		past.CreatedAt = past.CreatedAt.UTC()
		return past, err
	})
}
