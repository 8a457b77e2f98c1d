package main

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/adapters/system"
	"github.com/lockbox-go/lockbox/adapters/tokens"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// grower adds rows that would take too long to create over HTTP. It seals and signs with the program's adapters, so
// that the program can read every row.
type grower struct {
	conn   *pgx.Conn
	box    [16]byte
	owner  [16]byte
	cipher ports.EntryCipher
	signer *tokens.Signer
	now    time.Time
}

// grow adds entries and users to the first box until the box has the given size. It returns a copy of the argument
// place, with the new size and with the API keys of the added users.
func grow(ctx context.Context, database string, place load.Place, size load.Size) (load.Place, error) {
	store, err := postgres.Open(ctx, postgres.Config{URL: database, Patient: true, Clock: system.Clock{}})
	if err != nil {
		return place, err
	}
	defer store.Close()
	g := &grower{now: system.Clock{}.Now()}
	if g.conn, err = pgx.Connect(ctx, database); err != nil {
		return place, err
	}
	defer g.conn.Close(ctx)
	if err := g.open(ctx, store); err != nil {
		return place, err
	}
	// The added rows always satisfy the foreign keys, so PostgreSQL need not check them. For a million rows, the check
	// would take most of the time. The role has a timeout for the short statements of requests. This timeout would
	// cancel the long statements of grow.
	if _, err := g.conn.Exec(ctx, `SET session_replication_role = replica; SET statement_timeout = 0`); err != nil {
		return place, err
	}
	if err := g.addEntries(ctx, place.Entries, size.Entries); err != nil {
		return place, err
	}
	added, err := g.addUsers(ctx, place.Users, size.Users)
	place.Tokens, place.Size = append(place.Tokens, added...), size
	return place, err
}

// open loads the server keys with the installation's secret.
func (g *grower) open(ctx context.Context, store *postgres.Store) error {
	secret, err := sealing.ParseSecret(secretKey)
	if err != nil {
		return err
	}
	keyring, err := sealing.OpenKeyring(ctx, sealing.KeyringConfig{
		Store:  store.Read().ServerKeys,
		Secret: secret,
		IDs:    system.IDs{},
		Clock:  system.Clock{},
	})
	if err != nil {
		return err
	}
	installation, err := store.Installation(ctx, system.IDs{}.New(), g.now)
	if err != nil {
		return err
	}
	if g.signer, err = tokens.New(tokens.Config{Keys: keyring, Installation: installation,
		Clock: system.Clock{}}); err != nil {
		return err
	}
	sealer, err := sealing.NewEntrySealer(sealing.EntryConfig{Keys: keyring,
		Derive: func(context.Context, ports.Workload, []byte, []byte, ports.Argon2Params) ([]byte, error) {
			panic("a generated key needs no key derivation")
		}})
	if err != nil {
		return err
	}
	key, err := domain.ParseEncryptionKey(encryptionKey)
	if err != nil {
		return err
	}
	if g.cipher, err = sealer.Prepare(ctx, key, domain.BoxSalt{}); err != nil {
		return err
	}
	return g.conn.QueryRow(ctx, `SELECT id, owner_id FROM boxes WHERE name = $1`, load.BoxName(0)).Scan(&g.box,
		&g.owner)
}

func (g *grower) copy(ctx context.Context, table string, columns []string, from, to int,
	row func(i int) ([]any, error)) error {
	i := from - 1
	_, err := g.conn.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(func() ([]any, error) {
		if i++; i >= to {
			return nil, nil
		}
		return row(i)
	}))
	return err
}

func (g *grower) addEntries(ctx context.Context, from, to int) error {
	err := g.copy(ctx, "entries", []string{"box_id", "key", "version", "updated_at"}, from, to,
		func(i int) ([]any, error) {
			return []any{g.box, load.EntryKey(i), int64(1), g.now}, nil
		})
	if err != nil {
		return err
	}
	var value []byte
	columns := []string{"box_id", "key", "version", "sealed_as", "key_id", "envelope", "value", "author_id",
		"created_at"}
	err = g.copy(ctx, "entry_versions", columns, from, to, func(i int) ([]any, error) {
		value = load.AppendValue(value[:0], 0, i, 0)
		key := load.EntryKey(i)
		sealed, err := g.cipher.Seal(ports.Place{
			Box:      g.box,
			Key:      domain.EntryKey(key),
			Version:  1,
			SealedAs: 1,
		}, value)
		return []any{g.box, key, int64(1), int64(1), [16]byte(sealed.ServerKey), sealed.Envelope, sealed.Value, g.owner,
			g.now}, err
	})
	if err != nil {
		return err
	}
	_, err = g.conn.Exec(ctx, `UPDATE boxes SET entry_count = $2 WHERE id = $1`, g.box, to)
	return err
}

// addUsers returns one API key for each user that it adds.
func (g *grower) addUsers(ctx context.Context, from, to int) ([]string, error) {
	ids, keys := make([][16]byte, to), make([][16]byte, to)
	for i := from; i < to; i++ {
		ids[i], keys[i] = system.IDs{}.New(), system.IDs{}.New()
	}
	err := g.copy(ctx, "users", []string{"id", "name", "role", "is_active", "created_at", "updated_at"}, from, to,
		func(i int) ([]any, error) {
			return []any{ids[i], load.UserName(i), "user", true, g.now, g.now}, nil
		})
	if err != nil {
		return nil, err
	}
	var made []string
	err = g.copy(ctx, "api_keys", []string{"id", "user_id", "name", "key_id", "created_at"}, from, to,
		func(i int) ([]any, error) {
			token, key, err := g.signer.Mint(ctx, ports.TokenClaims{IssuedAt: g.now,
				Credential: domain.Credential{Kind: domain.APIKeyCredential, ID: keys[i], User: ids[i]}})
			made = append(made, token)
			return []any{keys[i], ids[i], "", [16]byte(key), g.now}, err
		})
	if err != nil {
		return nil, err
	}
	return made, g.copy(ctx, "box_users", []string{"box_id", "user_id", "role", "is_active", "permissions"}, from, to,
		func(i int) ([]any, error) {
			return []any{g.box, ids[i], "boxuser", true,
				int16(domain.ReadEntryKeys | domain.ReadEntry | domain.CreateEntry)}, nil
		})
}
