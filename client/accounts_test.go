package client_test

import (
	"bytes"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/tests/live"
)

func secret(text string) client.Secret { return client.NewSecret(text) }

func TestUsers(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := connect(t, nil)
	_, err := root.Initialize(ctx, client.FirstUser{Username: "root2", Password: secret("password")})
	require.ErrorIs(t, err, client.ErrConflict)

	anna := userFor(t, "anna")
	_, err = root.CreateUser(ctx, client.NewUser{Username: "anna", Password: secret("password")})
	require.ErrorIs(t, err, client.ErrConflict)
	_, err = anna.ListUsers(ctx)
	require.ErrorIs(t, err, client.ErrForbidden)
	names, err := root.ListUsers(ctx)
	require.NoError(t, err)
	require.Contains(t, names, "anna")

	user, err := anna.DescribeUser(ctx, "anna")
	require.NoError(t, err)
	require.Equal(t, []any{"anna", client.RoleUser, true, 1},
		[]any{user.Username, user.Role, user.IsActive, len(user.APIKeys)})
	require.WithinDuration(t, time.Now(), user.CreatedAt, time.Minute)
	who, err := anna.WhoAmI(ctx)
	require.NoError(t, err)
	require.Equal(t, []any{"anna", "", "api-key", user.APIKeys[0].Reveal(), time.Time{}},
		[]any{who.Username, who.Group, who.Token.Kind, who.Token.ID, who.Token.ExpiresAt})

	require.ErrorIs(t, anna.UpdateUser(ctx, "anna",
		client.UserChange{Password: secret("new-password"), CurrentPassword: secret("wrong")}), client.ErrForbidden)
	require.NoError(t, anna.UpdateUser(ctx, "anna",
		client.UserChange{Password: secret("new-password"), CurrentPassword: secret("anna-password")}))
	require.NoError(t, root.UpdateUser(ctx, "anna",
		client.UserChange{Role: client.RoleAdmin, Group: client.GroupViewer}))
	who, err = anna.WhoAmI(ctx)
	require.NoError(t, err)
	require.Equal(t, []string{client.RoleAdmin, client.GroupViewer}, []string{who.Role, who.Group})
	require.NoError(t, root.UpdateUser(ctx, "anna", client.UserChange{IsActive: new(false)}))
	_, err = anna.WhoAmI(ctx)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	require.NoError(t, root.DeleteUser(ctx, "anna"))
	require.ErrorIs(t, root.DeleteUser(ctx, "anna"), client.ErrNotFound)
	require.ErrorIs(t, root.DeleteUser(ctx, "root"), client.ErrConflict)
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c := userFor(t, "keys")
	ends := time.Now().Add(time.Hour).Truncate(time.Second)
	made, err := c.IssueAPIKey(ctx, &client.APIKeyOptions{Name: "backup", ExpiresAt: ends})
	require.NoError(t, err)
	_, err = c.IssueAPIKey(ctx, &client.APIKeyOptions{Expiry: "P1D", ExpiresAt: ends})
	require.ErrorIs(t, err, client.ErrInvalid)
	_, err = c.IssueAPIKey(ctx, &client.APIKeyOptions{Expiry: "never"})
	require.ErrorIs(t, err, client.ErrInvalid)

	keys, err := c.ListAPIKeys(ctx)
	require.NoError(t, err)
	require.Len(t, keys, 2)
	ids := map[string]string{keys[0].Name: keys[0].ID, keys[1].Name: keys[1].ID}
	require.True(t, keys[0].ExpiresAt.Equal(ends) || keys[1].ExpiresAt.Equal(ends))

	// RevokeAPIKey gets a whole key, but sends only the id that the key contains.
	require.NoError(t, c.RevokeAPIKey(ctx, made.Reveal()))
	_, err = c.WithToken(made).WhoAmI(ctx)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	require.ErrorIs(t, c.RevokeAPIKey(ctx, ids["backup"]), client.ErrNotFound)
	for _, other := range []string{"no.api.key", "a.b", strings.Repeat("0a", 32)} {
		require.ErrorIs(t, c.RevokeAPIKey(ctx, other), client.ErrInvalid)
	}
	require.ErrorIs(t, c.RevokeAPIKey(ctx, ids[""]), client.ErrConflict, "the last key cannot be revoked")
}

// TestNoKeyInAPath checks that no path contains an API key, because proxies log paths.
func TestNoKeyInAPath(t *testing.T) {
	t.Parallel()
	url, _ := broken(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		assert.Regexp(t, "^/api-keys/[0-9a-f-]{36}$", r.RequestURI)
		w.WriteHeader(http.StatusNoContent)
	})
	require.NoError(t, connect(t, at(url)).RevokeAPIKey(t.Context(), rootKey.Reveal()))
}

func TestInitToken(t *testing.T) {
	t.Parallel()
	server, err := live.Open("INIT_TOKEN=a-long-init-token-of-the-operator")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Stop()) })
	c := connect(t, at(server.URL))
	user := client.FirstUser{Username: "root", Password: secret("password")}
	for token, kind := range map[string]error{"": client.ErrUnauthenticated, "wrong": client.ErrUnauthenticated,
		"line\nend": client.ErrInvalid} {
		user.InitToken = secret(token)
		_, err = c.Initialize(t.Context(), user)
		require.ErrorIs(t, err, kind)
	}
	user.InitToken = secret("a-long-init-token-of-the-operator")
	key, err := c.Initialize(t.Context(), user)
	require.NoError(t, err)
	_, err = c.WithToken(key).WhoAmI(t.Context())
	require.NoError(t, err)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := connect(t, nil)
	userFor(t, "signer")
	_, err := root.SignIn(ctx, client.Credentials{Username: "signer", Password: secret("wrong")})
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	require.NotErrorIs(t, err, client.ErrTOTPRequired)
	session, err := root.SignIn(ctx, client.Credentials{Username: "signer", Password: secret("signer-password")})
	require.NoError(t, err)
	who, err := root.WhoAmI(ctx)
	require.NoError(t, err)
	require.NotEmpty(t, who.ID)
	require.Equal(t, who.Installation, session.Installation)
	require.WithinDuration(t, time.Now().Add(7*24*time.Hour), session.ExpiresAt, time.Minute)
	c := root.WithToken(session.Token)

	_, err = c.EnrolTOTP(ctx, "signer", client.TOTPProof{})
	require.Equal(t, "totp_password_required", failure(t, err).Code)
	proof := client.TOTPProof{CurrentPassword: secret("signer-password")}
	enrolment, err := c.EnrolTOTP(ctx, "signer", proof)
	require.NoError(t, err)
	require.Len(t, enrolment.RecoveryCodes, 10)
	_, err = png.Decode(bytes.NewReader(enrolment.PNG()))
	require.NoError(t, err)
	proof.Code = secret("000000")
	require.ErrorIs(t, c.ConfirmTOTP(ctx, "signer", proof), client.ErrForbidden)
	code, err := totp.GenerateCode(enrolment.Secret.Reveal(), time.Now())
	require.NoError(t, err)
	proof.Code = secret(code)
	require.NoError(t, c.ConfirmTOTP(ctx, "signer", proof))

	_, err = root.SignIn(ctx, client.Credentials{Username: "signer", Password: secret("signer-password")})
	require.ErrorIs(t, err, client.ErrTOTPRequired)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	_, err = root.SignIn(ctx,
		client.Credentials{Username: "signer", Password: secret("signer-password"), Code: enrolment.RecoveryCodes[0]})
	require.NoError(t, err)
	require.ErrorIs(t, c.RemoveTOTP(ctx, "signer", client.Secret{}), client.ErrInvalid)
	require.NoError(t, root.RemoveTOTP(ctx, "signer", client.Secret{}))
	require.ErrorIs(t, root.RemoveTOTP(ctx, "signer", client.Secret{}), client.ErrNotFound)
	require.NoError(t, root.Accounts().RevokeSessions(ctx, "signer"))
	_, err = c.WhoAmI(ctx)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
}

func TestAccountsAPI(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	root := connect(t, nil)
	list, err := root.Accounts().AddUser(ctx, "Coder", client.GroupManager)
	require.NoError(t, err)
	require.Equal(t, "root", list[0].Username)
	_, err = root.Accounts().AddUser(ctx, "coder", client.GroupManager)
	require.ErrorIs(t, err, client.ErrConflict)
	require.Equal(t, []any{400, 914, "user_exists"},
		[]any{failure(t, err).Status, failure(t, err).ID, failure(t, err).Code})
	_, err = root.Accounts().AddUser(ctx, "coder2", "kings")
	require.ErrorIs(t, err, client.ErrInvalid)
	_, err = root.Accounts().AddUser(ctx, "coder2", client.GroupOwner)
	require.ErrorIs(t, err, client.ErrConflict)
	_, err = root.Accounts().AddUser(ctx, "", client.GroupViewer)
	require.ErrorIs(t, err, client.ErrInvalid)
	_, err = root.Accounts().ShowTOTP(ctx, "no-such-user")
	require.ErrorIs(t, err, client.ErrNotFound)

	shown, err := root.Accounts().ShowTOTP(ctx, "coder")
	require.NoError(t, err)
	require.NotEmpty(t, shown.PNG())
	code, err := totp.GenerateCode(shown.Secret.Reveal(), time.Now())
	require.NoError(t, err)
	_, err = root.Accounts().SignIn(ctx, client.Credentials{Username: "coder", Code: secret("000000")})
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	_, err = root.Accounts().SignIn(ctx, client.Credentials{Username: "coder"})
	require.ErrorIs(t, err, client.ErrInvalid)
	pair, err := root.Accounts().SignIn(ctx, client.Credentials{Username: "coder", Code: secret(code)})
	require.NoError(t, err)
	require.Equal(t, 2*time.Hour, pair.ExpiresIn)
	_, err = root.Accounts().ShowTOTP(ctx, "coder")
	require.ErrorIs(t, err, client.ErrForbidden)

	coder := root.WithToken(pair.Access)
	_, err = coder.Accounts().ListUsers(ctx)
	require.ErrorIs(t, err, client.ErrForbidden)
	require.ErrorIs(t, coder.Accounts().RevokeSessions(ctx, "root"), client.ErrForbidden)
	next, err := coder.Accounts().Refresh(ctx, pair.Refresh)
	require.NoError(t, err)
	_, err = coder.WhoAmI(ctx)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	require.NoError(t, root.WithToken(next.Refresh).Accounts().RevokeSessions(ctx, "coder"),
		"a refresh token is accepted here")
	_, err = coder.Accounts().Refresh(ctx, next.Refresh)
	require.ErrorIs(t, err, client.ErrUnauthenticated)

	accounts, err := root.Accounts().ListUsers(ctx)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), accounts[0].Created, time.Hour)
	left, err := root.Accounts().DeleteUser(ctx, "coder")
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(left,
		func(account client.Account) bool { return strings.EqualFold(account.Username, "coder") }))
	require.True(t, slices.ContainsFunc(accounts,
		func(account client.Account) bool { return account.Username == "Coder" }))
	_, err = root.Accounts().DeleteUser(ctx, "coder")
	require.ErrorIs(t, err, client.ErrNotFound)
	_, err = root.Accounts().DeleteUser(ctx, "root")
	require.ErrorIs(t, err, client.ErrForbidden)
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, box := boxFor(t)
	for i := range 5 {
		_, err := c.WriteEntry(ctx, box, "key", i, nil)
		require.NoError(t, err)
	}
	page, err := c.ListBoxEvents(ctx, box, &client.EventFilter{Limit: 2, Action: "entry.write", User: "root"})
	require.NoError(t, err)
	require.Len(t, page.Events, 2)
	require.NotEmpty(t, page.Next)
	require.Equal(t, []any{"entry.write", "success", "root", box, "key"},
		[]any{page.Events[0].Action, page.Events[0].Outcome,
			page.Events[0].Actor, page.Events[0].Box, page.Events[0].Key})

	var seen []string
	for event, err := range c.BoxEvents(ctx, box, &client.EventFilter{Limit: 2}) {
		require.NoError(t, err)
		seen = append(seen, event.Action)
	}
	require.Equal(t, []string{"entry.write", "entry.write", "entry.write", "entry.write", "entry.write", "box.create"},
		seen)
	for event, err := range c.Events(ctx, &client.EventFilter{Limit: 1}) {
		require.NoError(t, err)
		require.NotEmpty(t, event.ID)
		break
	}
	for event, err := range c.BoxEvents(ctx, box, &client.EventFilter{Limit: 1, Since: time.Now().Add(time.Minute)}) {
		require.NoError(t, err)
		require.Equal(t, seen[0], event.Action)
		seen = seen[:0] // a second event would panic
	}
	require.Empty(t, seen, "one page was read")
	_, err = c.ListEvents(ctx, &client.EventFilter{Action: "no.such"})
	require.ErrorIs(t, err, client.ErrInvalid)
	for _, err := range userFor(t, "snoop").Events(ctx, nil) {
		require.ErrorIs(t, err, client.ErrForbidden)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	c := connect(t, nil)
	require.NoError(t, c.Healthy(t.Context()))
	require.NoError(t, c.Ready(t.Context()))
	welcome, err := c.Welcome(t.Context())
	require.NoError(t, err)
	require.Contains(t, welcome, "Lockbox")
}
