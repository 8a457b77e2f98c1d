package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

const usedKeys = `SELECT k.name FROM api_keys k WHERE last_used_at IS NOT NULL ORDER BY k.name`

// threeKeys creates a user with three API keys and returns a function that uses one of them. The keys have the names 0,
// 1 and 2.
func threeKeys(t *testing.T, store *postgres.Store, url string) (use func(n int)) {
	t.Helper()
	user, keys := newID(t), [3][16]byte{newID(t), newID(t), newID(t)}
	execute(t, url, `INSERT INTO users (id, name, role, is_active, created_at, updated_at)
		VALUES ($1, 'program', 'user', true, now(), now())`, user)
	for n, key := range keys {
		execute(t, url, `INSERT INTO api_keys (id, user_id, name, key_id, created_at) VALUES ($1, $2, $3, $1, now())`,
			key, user, string(rune('0'+n)))
	}
	return func(n int) {
		caller, err := store.Read().Callers.Caller(t.Context(),
			domain.Credential{Kind: domain.APIKeyCredential, ID: keys[n], User: user})
		require.NoError(t, err)
		require.False(t, caller.UserID.IsZero())
	}
}

func TestUsesOfKeysAreStoredWithinSeconds(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	use := threeKeys(t, store, url)
	use(0)
	use(2)
	use(0)
	require.Eventually(t, func() bool { return len(pgtest.Column(t, url, usedKeys)) == 2 },
		20*time.Second, 50*time.Millisecond)
	require.Equal(t, []string{"0", "2"}, pgtest.Column(t, url, usedKeys))
	use(1) // this use is in a later interval
	require.Eventually(t, func() bool { return len(pgtest.Column(t, url, usedKeys)) == 3 },
		20*time.Second, 50*time.Millisecond)
}

func TestCloseStoresPendingUses(t *testing.T) {
	t.Parallel()
	store, url := openStore(t, nil)
	use := threeKeys(t, store, url)
	use(1)
	store.Close()
	require.Equal(t, []string{"1"}, pgtest.Column(t, url, usedKeys))
}
