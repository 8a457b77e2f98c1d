package serverkeys_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

type fixture struct {
	*usecases.Parts
	t    *testing.T
	keys *serverkeys.Service
}

func open(t *testing.T) fixture {
	t.Helper()
	parts := usecases.Open(t, 3)
	return fixture{parts, t, serverkeys.New(serverkeys.Config{
		Store:   parts.Store,
		Keyring: parts.Keyring,
		Account: parts.Sealer,
		Digests: parts.TokenDigests,
		Clock:   parts.Clock,
		IDs:     parts.IDs,
	})}
}

// user stores a user with the password "secret" and one API key. tamper may change the sealed password before it is
// stored.
func (f fixture) user(name domain.UserName, tamper func(sealed []byte)) domain.User {
	f.t.Helper()
	user := domain.NewUser(f.IDs.New(), name, domain.RoleUser, f.Clock.Now())
	server, sealed, err := f.Sealer.SealAccount(f.t.Context(), ports.PasswordPurpose, user.ID, []byte("secret"))
	require.NoError(f.t, err)
	tamper(sealed)
	key := domain.APIKey{ID: f.IDs.New(), User: user.ID, CreatedAt: f.Clock.Now()}
	key.SignedBy, _ = f.Keyring.Current(domain.KeyForAPIKeys)
	require.NoError(f.t, f.Store.Do(f.t.Context(), func(ctx context.Context, repos ports.Repos) error {
		password := ports.SealedPassword{User: user.ID, ServerKey: server, Sealed: sealed}
		if err := repos.Users.Add(ctx, user, password); err != nil {
			return err
		}
		return repos.APIKeys.Add(ctx, key)
	}))
	return user
}

func untouched([]byte) {}

// password opens the stored password of a user.
func (f fixture) password(user domain.User) (string, error) {
	f.t.Helper()
	found, err := f.Store.Read().Users.ForSignIn(f.t.Context(), user.Name)
	require.NoError(f.t, err)
	opened, err := f.Sealer.OpenAccount(f.t.Context(), ports.PasswordPurpose, user.ID, found.Password.Sealed)
	return string(opened), err
}

func (f fixture) rekey(purpose domain.KeyPurpose) (int, error) {
	return f.keys.Rekey(f.t.Context(), purpose, func(int) {})
}

// generations returns the generations of the keys of a purpose.
func (f fixture) generations(purpose domain.KeyPurpose) []int {
	f.t.Helper()
	require.NoError(f.t, f.Keyring.Reload(f.t.Context()))
	var generations []int
	for _, key := range f.keys.Status() {
		if key.Purpose == purpose {
			generations = append(generations, key.Generation)
		}
	}
	return generations
}

// TestRekeyAccounts verifies that a rekey moves sealed passwords to a new key and deletes the old key.
func TestRekeyAccounts(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna := f.user("anna", untouched)
	done, err := f.rekey(domain.KeyForAccounts)
	require.NoError(t, err)
	require.Equal(t, 1, done)
	require.Equal(t, []int{2}, f.generations(domain.KeyForAccounts))
	password, err := f.password(anna)
	require.NoError(t, err)
	require.Equal(t, "secret", password)
	require.Equal(t, []string{"(terminal) success account"}, f.Audited(t, domain.ActionRekey))
}

// TestRekeyTampered verifies that a rekey lists each row that fails authentication and moves all other rows to the
// new key.
func TestRekeyTampered(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna := f.user("anna", untouched)
	bert := f.user("bert", func(sealed []byte) { sealed[len(sealed)-1]++ })
	done, err := f.rekey(domain.KeyForAccounts)
	require.Equal(t, 1, done)
	var tampered *serverkeys.TamperedRowsError
	require.ErrorAs(t, err, &tampered)
	require.Len(t, tampered.Rows, 1)
	require.ErrorContains(t, err, bert.ID.String())
	require.Equal(t, []int{2}, f.generations(domain.KeyForAccounts))
	_, err = f.password(anna)
	require.NoError(t, err)
}

// TestRekeyAPIKeys verifies that APIKeysRevokedByRekey lists all API keys and that a rekey revokes them.
func TestRekeyAPIKeys(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna := f.user("anna", untouched)
	listed, err := f.keys.APIKeysRevokedByRekey(t.Context())
	require.NoError(t, err)
	require.Len(t, listed, 1)
	require.Equal(t, anna.Name, listed[0].User)
	done, err := f.rekey(domain.KeyForAPIKeys)
	require.NoError(t, err)
	require.Equal(t, 1, done)
	count, err := f.Store.Read().APIKeys.Count(t.Context(), anna.ID)
	require.NoError(t, err)
	require.Zero(t, count)
}

// TestRekeyGoesOn verifies that the next rekey completes an interrupted rekey.
func TestRekeyGoesOn(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna := f.user("anna", untouched)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := f.keys.Rekey(ctx, domain.KeyForAccounts, func(int) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []int{1, 2}, f.generations(domain.KeyForAccounts))
	_, err = f.rekey(domain.KeyForAccounts)
	require.NoError(t, err)
	require.Equal(t, []int{3}, f.generations(domain.KeyForAccounts))
	_, err = f.password(anna)
	require.NoError(t, err)
}

// TestRotate verifies that a rotation rewraps every key under the new secret and does not change the keys.
func TestRotate(t *testing.T) {
	t.Parallel()
	f := open(t)
	anna := f.user("anna", untouched)
	f.Clock.Advance(time.Minute)
	count, err := f.keys.Rotate(t.Context())
	require.NoError(t, err)
	require.Equal(t, len(domain.KeyPurposes()), count)
	require.NoError(t, f.Keyring.Reload(t.Context()))
	_, err = f.password(anna)
	require.NoError(t, err)
	require.Equal(t, []string{"(terminal) success -"}, f.Audited(t, domain.ActionRotateSecret))
}

// TestKeyRecoveryCodes verifies that the plain recovery codes of an older release get keyed digests once, and that
// plain codes that appear later stay unusable.
func TestKeyRecoveryCodes(t *testing.T) {
	t.Parallel()
	f := open(t)
	user := f.user("anna", untouched)
	secret := domain.TOTPSecret{ID: f.IDs.New(), User: user.ID, CreatedAt: f.Clock.Now()}
	key, _ := f.Keyring.Current(domain.KeyForAccounts)
	require.NoError(t, f.Store.Read().TOTPSecrets.Put(t.Context(),
		ports.SealedTOTPSecret{Code: secret, ServerKey: key, Sealed: []byte("sealed")}, ports.RecoveryCodes{}))
	const insert = `INSERT INTO recovery_codes (code_id, hash)
		SELECT id, sha256(n::text::bytea) FROM one_time_codes, generate_series(%s) n`
	f.Execute(t, fmt.Sprintf(insert, "1, 1100")) // more than two batches
	spend := func(n int) bool {
		digests := f.TokenDigests.RecoveryCodes(user.ID, secret.ID, sha256.Sum256(fmt.Append(nil, n)))
		spent, err := f.Store.Read().TOTPSecrets.SpendRecovery(t.Context(), secret.ID, digests.Digests[0])
		require.NoError(t, err)
		return spent
	}
	require.False(t, spend(1), "not converted yet")
	require.Empty(t, atOnce(
		func() error { return f.keys.KeyRecoveryCodes(t.Context()) },
		func() error { return f.keys.KeyRecoveryCodes(t.Context()) }))
	require.True(t, spend(1))
	require.True(t, spend(1100))
	require.Zero(t, pgtest.Number(t, f.URL, `SELECT count(*) FROM recovery_codes WHERE key_id IS NULL`))
	f.Execute(t, fmt.Sprintf(insert, "2000, 2000"))
	require.NoError(t, f.keys.KeyRecoveryCodes(t.Context()))
	require.False(t, spend(2000))

	// A writer to the database can repeat the conversion; SECURITY.md lists this as not detected.
	f.Execute(t, `UPDATE system SET recovery_codes_keyed = false`)
	require.NoError(t, f.keys.KeyRecoveryCodes(t.Context()))
	require.True(t, spend(2000))
}

// atOnce runs functions concurrently and returns their errors.
func atOnce(functions ...func() error) (failed []error) {
	results := make(chan error, len(functions))
	for _, function := range functions {
		go func() { results <- function() }()
	}
	for range functions {
		if err := <-results; err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
