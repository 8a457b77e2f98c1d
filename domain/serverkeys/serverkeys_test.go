package serverkeys_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/ports"
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

// user stores a user with one API key. The user's stored password is the sealed text "secret". The function tamper may
// change the sealed password before it is stored.
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

// password decrypts the stored password of a user.
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

// generations returns the generation numbers of all server keys with the given purpose.
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

// TestRekeyTampered verifies that the error of a rekey lists each row that fails authentication, and that all other
// rows are moved to the new key.
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

// TestRekeyGoesOn verifies that a rekey also moves the rows that an earlier, interrupted rekey has left under older
// keys.
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

// TestRotate verifies that Rotate rewraps all server keys but does not change the keys themselves.
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

// TestConvertRecoveryCodes verifies that recovery codes with plain hashes are refused until ConvertRecoveryCodes has
// converted them. If a user has more such codes than an older release can have stored, none of this user's codes may be
// converted. DeletePlainRecoveryCodes must not delete converted codes.
func TestConvertRecoveryCodes(t *testing.T) {
	t.Parallel()
	f := open(t)
	spendAnna, spendBert := f.plainCodes("anna", 10), f.plainCodes("bert", 21)
	require.False(t, spendAnna(1), "not converted yet")
	listed, err := f.keys.PlainRecoveryCodes(t.Context())
	require.NoError(t, err)
	require.Len(t, listed, 2)
	require.Equal(t, []any{domain.UserName("anna"), 10}, []any{listed[0].Name, listed[0].Codes})
	require.Equal(t, []any{domain.UserName("bert"), 21}, []any{listed[1].Name, listed[1].Codes})

	for _, wrong := range []int{0, 10, 30, 32} {
		converted, err := f.keys.ConvertRecoveryCodes(t.Context(), wrong)
		require.EqualError(t, err, fmt.Sprintf("the database has 31 recovery codes without a key, but %d were "+
			"listed, so no code was converted: list the codes again", wrong))
		require.Zero(t, converted)
		require.False(t, spendAnna(1))
	}
	convert := func() error {
		_, err := f.keys.ConvertRecoveryCodes(t.Context(), 31)
		return err
	}
	failed := atOnce(convert, convert)
	require.Len(t, failed, 2, "the later call finds 31 codes, or only those of bert")
	require.ErrorContains(t, errors.Join(failed...), "user bert has more than 20 recovery codes without a key")
	require.True(t, spendAnna(1))
	require.True(t, spendAnna(10))
	require.False(t, spendBert(1))
	require.Equal(t, []string{"(terminal) success anna"}, f.Audited(t, domain.ActionConvertRecoveryCodes))

	deleted, err := f.keys.DeletePlainRecoveryCodes(t.Context())
	require.NoError(t, err)
	require.Equal(t, 21, deleted)
	require.True(t, spendAnna(2), "a keyed code is not deleted")
	require.False(t, spendBert(2))
	require.Equal(t, []string{"(terminal) success bert"}, f.Audited(t, domain.ActionDeleteRecoveryCodes))
	converted, err := f.keys.ConvertRecoveryCodes(t.Context(), 0)
	require.NoError(t, err)
	require.Zero(t, converted)
}

// plainCodes stores a user with n recovery codes as plain hashes, as an older release did. The codes have the numbers 1
// to n. The returned function tries the code with the given number and reports whether the code was accepted.
func (f fixture) plainCodes(name domain.UserName, n int) (spend func(number int) bool) {
	f.t.Helper()
	user := f.user(name, untouched)
	secret := domain.TOTPSecret{ID: f.IDs.New(), User: user.ID, CreatedAt: f.Clock.Now()}
	key, _ := f.Keyring.Current(domain.KeyForAccounts)
	require.NoError(f.t, f.Store.Read().TOTPSecrets.Put(f.t.Context(),
		ports.SealedTOTPSecret{Code: secret, ServerKey: key, Sealed: []byte("sealed")}, ports.RecoveryCodes{}))
	f.Execute(f.t, fmt.Sprintf(`INSERT INTO recovery_codes (code_id, hash)
		SELECT '%s', sha256(n::text::bytea) FROM generate_series(1, %d) n`, secret.ID, n))
	return func(number int) bool {
		digests := f.TokenDigests.RecoveryCodes(user.ID, secret.ID, sha256.Sum256(fmt.Append(nil, number)))
		spent, err := f.Store.Read().TOTPSecrets.SpendRecovery(f.t.Context(), secret.ID, digests.Digests[0])
		require.NoError(f.t, err)
		return spent
	}
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
