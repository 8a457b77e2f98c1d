package storage

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// open calls SignIns.Open in a transaction of its own.
func (f *fixture) open(in ports.OpenedSignIn) (state ports.AttemptState, err error) {
	f.Helper()
	in.At = f.now
	err = f.Do(f.Context(), func(ctx context.Context, repos ports.Repos) (err error) {
		state, err = repos.SignIns.Open(ctx, in)
		return err
	})
	return state, err
}

// newSession returns a new session without storing it.
func (f *fixture) newSession(user domain.User) *domain.Session {
	f.Helper()
	session := domain.NewSession(f.id(), user, f.now, time.Hour)
	session.SignedBy = f.keys[domain.KeyForSessions]
	return &session
}

func attemptsReadUser(f *fixture) {
	user := f.addUser("user")
	secret := f.addTOTP(user, false)
	for name, want := range map[domain.UserName]ports.SignIn{
		"user":    {User: user, Password: f.password(user.ID, "sealed user"), Code: secret},
		"unknown": {},
		"":        {},
	} {
		f.do(func(ctx context.Context, repos ports.Repos) error {
			state, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{
				Counters: []ports.CounterKey{{Key: digest("counter")}},
				ReadUser: true,
				User:     name,
			})
			require.Equal(f, want, state.User)
			return err
		})
	}
}

func signInSession(f *fixture) {
	user := f.addUser("user")
	counter := ports.CounterState{
		CounterKey: ports.CounterKey{Key: digest("counter")},
		Attempts:   domain.Attempts{Failures: 2, LastAt: f.now},
	}
	f.do(func(ctx context.Context, repos ports.Repos) error {
		_, err := repos.Attempts.Lock(ctx, ports.AttemptQuery{Counters: []ports.CounterKey{counter.CounterKey}})
		require.NoError(f, err)
		return repos.Attempts.Save(ctx, counter)
	})
	session := f.newSession(user)
	was, next := f.password(user.ID, "sealed user"), f.password(user.ID, "rehashed")
	state, err := f.open(ports.OpenedSignIn{
		Session:  session,
		Rehashed: ports.PasswordChange{Was: was, Next: next},
		Counters: []ports.CounterKey{{Key: digest("new")}, counter.CounterKey},
	})
	require.NoError(f, err)
	require.Equal(f, []domain.Attempts{{}, counter.Attempts}, state.Counters)
	credential := domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
	caller, err := f.Read().Callers.Caller(f.Context(), credential)
	require.NoError(f, err)
	require.Equal(f, user.ID, caller.UserID)
	stored, err := f.Read().Users.ForSignIn(f.Context(), user.Name)
	require.NoError(f, err)
	require.Equal(f, next, stored.Password)

	late := ports.PasswordChange{Was: was, Next: was}
	_, err = f.open(ports.OpenedSignIn{Session: f.newSession(user), Rehashed: late})
	require.NoError(f, err)
	stored, err = f.Read().Users.ForSignIn(f.Context(), user.Name)
	require.NoError(f, err)
	require.Equal(f, next, stored.Password, "a sign-in does not overwrite a password that was replaced in the meantime")

	deleted := domain.NewUser(f.id(), "deleted", domain.RoleUser, f.now)
	_, err = f.open(ports.OpenedSignIn{Session: f.newSession(deleted)})
	require.ErrorIs(f, err, domain.Unauthenticated)
	stale := f.newSession(user)
	f.retire(f.keys[domain.KeyForSessions])
	_, err = f.open(ports.OpenedSignIn{Session: stale})
	require.ErrorIs(f, err, ports.ErrStaleServerKey)
}

func signInFamily(f *fixture) {
	user := f.addUser("user")
	opened := func(user domain.User, name string) ports.OpenedSignIn {
		family := domain.NewTokenFamily(f.id(), user, f.now, time.Hour)
		family.Keys = f.tokenKeys()
		return ports.OpenedSignIn{Family: &family, Pair: domain.TokenPair{
			ID:              f.id(),
			Family:          family.ID,
			Access:          digest(name + "/access"),
			Refresh:         digest(name + "/refresh"),
			CreatedAt:       f.now,
			AccessExpiresAt: f.now.Add(time.Minute),
		}}
	}
	first := opened(user, "first")
	_, err := f.open(first)
	require.NoError(f, err)
	caller, err := f.Read().Callers.Caller(f.Context(),
		domain.Credential{Kind: domain.AccessTokenCredential, User: user.ID, Digest: first.Pair.Access})
	require.NoError(f, err)
	require.Equal(f, first.Pair.ID, caller.Credential.ID)
	_, err = f.open(opened(domain.NewUser(f.id(), "deleted", domain.RoleUser, f.now), "deleted"))
	require.ErrorIs(f, err, domain.Unauthenticated)
	for _, purpose := range []domain.KeyPurpose{domain.KeyForSessions, domain.KeyForTokens} {
		f.retire(f.keys[purpose])
		_, err = f.open(opened(user, string(purpose)))
		require.ErrorIs(f, err, ports.ErrStaleServerKey, purpose)
		f.keys[purpose] = f.addServerKey(purpose, 2)
	}
}

func signInCodes(f *fixture) {
	user := f.addUser("user")
	secret := f.addTOTP(user, false, digest("recovery"))
	for name, code := range map[string]ports.UsedCode{
		"a TOTP code":     {ID: secret.Code.ID, Step: 100},
		"a recovery code": {ID: secret.Code.ID, Recovery: digest("recovery")},
	} {
		_, err := f.open(ports.OpenedSignIn{Code: code, Session: f.newSession(user)})
		require.NoError(f, err, name)
		second := f.newSession(user)
		_, err = f.open(ports.OpenedSignIn{Code: code, Session: second})
		require.ErrorIs(f, err, ports.ErrCodeUsed, name)
		caller, err := f.Read().Callers.Caller(f.Context(),
			domain.Credential{Kind: domain.SessionCredential, ID: second.ID, User: user.ID})
		require.NoError(f, err)
		require.Zero(f, caller.UserID, "the sign-in is rolled back")
	}
	stored, err := f.Read().TOTPSecrets.Get(f.Context(), user.ID, false)
	require.NoError(f, err)
	require.Equal(f, f.now, stored.Code.ConfirmedAt)
}
