package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

const (
	home     = "203.0.113.9"
	stranger = "198.51.100.7"
)

// fixture is an initialized system with an owner. By default it allows three attempts before a lockout.
type fixture struct {
	*usecases.Parts
	t       *testing.T
	ctx     context.Context
	service *identity.Service
	// owner is a requester with an API key of the owner.
	owner domain.Requester
}

func open(t *testing.T) fixture {
	t.Helper()
	return openWith(t, 3)
}

// openWith does the same as open, but allows the given number of attempts before a lockout.
func openWith(t *testing.T, freeAttempts int) fixture {
	t.Helper()
	parts := usecases.Open(t, freeAttempts)
	f := fixture{Parts: parts, t: t, ctx: t.Context()}
	f.service = identity.New(identity.Config{
		Gate:              parts.Gate,
		Store:             parts.Store,
		Passwords:         parts.Passwords,
		Sealer:            parts.Sealer,
		Tokens:            parts.Tokens,
		TOTP:              parts.TOTP,
		Digests:           parts.Digests,
		TokenDigests:      parts.TokenDigests,
		Clock:             parts.Clock,
		IDs:               parts.IDs,
		MinPasswordLength: 6,
		SessionTTL:        time.Hour,
		AccessTTL:         2 * time.Hour,
		RefreshTTL:        24 * time.Hour,
	})
	key, err := f.service.Initialize(f.ctx, usecases.From(home),
		identity.Initialize{Username: "root", Password: "root-password"})
	require.NoError(t, err)
	f.owner = f.with(key)
	return f
}

// The method "with" returns a requester whose credential is the given signed token.
func (f fixture) with(token string) domain.Requester {
	f.t.Helper()
	credential, err := f.Tokens.Verify(f.ctx, token)
	require.NoError(f.t, err)
	return domain.Requester{Credential: credential, Address: home}
}

// access returns a requester with an opaque access token.
func (f fixture) access(token domain.OpaqueToken) domain.Requester {
	return domain.Requester{Credential: f.service.OpaqueCredential(token), Address: home}
}

// user creates a user with the password NAME-password and returns a requester with the user's API key.
func (f fixture) user(name, role string) domain.Requester {
	f.t.Helper()
	created, err := f.service.CreateUser(f.ctx, f.owner,
		identity.CreateUser{Username: name, Password: name + "-password", Role: role})
	require.NoError(f.t, err)
	return f.with(created.APIKey)
}

// update changes a user.
func (f fixture) update(by domain.Requester, in identity.UpdateUser) error {
	return f.service.UpdateUser(f.ctx, by, in)
}

// authenticates reports whether a requester's credential is valid.
func (f fixture) authenticates(by domain.Requester) bool {
	f.t.Helper()
	_, err := f.service.WhoAmI(f.ctx, by)
	if err != nil {
		require.ErrorIs(f.t, err, domain.Unauthenticated)
	}
	return err == nil
}

// guess signs in with a password.
func (f fixture) guess(address, username, password string) error {
	_, _, err := f.service.Authenticate(f.ctx, usecases.From(address),
		identity.Authenticate{Username: username, Password: password})
	return err
}

// session signs in as the named user, with the password NAME-password, and returns a requester with the session.
func (f fixture) session(name string) domain.Requester {
	f.t.Helper()
	token, _, err := f.service.Authenticate(f.ctx, usecases.From(home),
		identity.Authenticate{Username: name, Password: name + "-password"})
	require.NoError(f.t, err)
	return f.with(token)
}

// member adds a user of the accounts API and returns the user's TOTP secret.
func (f fixture) member(name, group string) (secret string) {
	f.t.Helper()
	accounts := f.service.Accounts()
	require.NoError(f.t, accounts.AddUser(f.ctx, f.owner, identity.AccountsAddUser{Username: name, Group: group}))
	shown, err := accounts.ShowTOTP(f.ctx, f.owner, name)
	require.NoError(f.t, err)
	return shown.Secret
}

// code advances the clock to the next time step and returns the TOTP code for this step. Each call therefore returns an
// unused code.
func (f fixture) code(secret string) string {
	f.t.Helper()
	f.Clock.Advance(30 * time.Second)
	return f.Code(f.t, secret)
}

// enrol requests a TOTP secret for the named user, whose password is NAME-password.
func (f fixture) enrol(by domain.Requester, name, code string) (identity.EnrolledTOTP, error) {
	return f.service.EnrolTOTP(f.ctx, by,
		identity.EnrolTOTP{Username: name, Code: code, CurrentPassword: name + "-password"})
}

// confirm confirms the TOTP secret of the named user, whose password is NAME-password.
func (f fixture) confirm(by domain.Requester, name, code string) error {
	return f.service.ConfirmTOTP(f.ctx, by,
		identity.ConfirmTOTP{Username: name, Code: code, CurrentPassword: name + "-password"})
}

// pair signs in with a TOTP code and returns the token pair.
func (f fixture) pair(name, secret string) identity.TokenPair {
	f.t.Helper()
	pair, err := f.service.Accounts().SignIn(f.ctx, usecases.From(home),
		identity.AccountsSignIn{Username: name, Code: f.code(secret)})
	require.NoError(f.t, err)
	return pair
}

func to[T any](value T) *T { return &value }
