package client

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// accountsPrefix begins the paths of the accounts API and of the requests for droplets.
const accountsPrefix = "/api/v1"

// Accounts calls the accounts API (/api/v1/user/…), where users sign in with TOTP codes and belong to groups. The
// accounts API and the rest of the HTTP API have the same users. In the comments of its methods, "the owner" means the
// user in the group GroupOwner. Get an Accounts from [Client.Accounts]; the zero Accounts is not usable. An Accounts is
// safe for concurrent use.
type Accounts struct{ client *Client }

// Accounts returns the methods of the accounts API. These methods send their requests through c, with the token of c.
func (c *Client) Accounts() Accounts { return Accounts{c} }

// Format implements fmt.Formatter. Every formatting verb prints only the URL of the server.
func (a Accounts) Format(f fmt.State, verb rune) { a.client.Format(f, verb) }

// TokenPair is the result of Accounts.SignIn and Accounts.Refresh.
type TokenPair struct {
	// Access is the access token. Pass it to WithToken, or set Config.Token to it.
	Access Secret
	// Refresh is the refresh token. It can be used for one call of Accounts.Refresh.
	Refresh Secret
	// ExpiresIn is the time from the response until the access token expires, 2 hours by default.
	ExpiresIn time.Duration
}

// SignIn signs a user in with a TOTP code and, if the user has one, the password. It returns ErrUnauthenticated for a
// wrong name, password or code, and for a code that was already used. The client does not retry SignIn after a lost
// response.
func (a Accounts) SignIn(ctx context.Context, credentials Credentials) (*TokenPair, error) {
	return a.tokenPair(ctx, post(accountsPrefix+"/user/auth", credentials.body(), http.StatusOK))
}

// Refresh exchanges a refresh token for a new token pair and revokes the old pair. The client does not retry Refresh
// after a lost response: the server could receive the refresh token a second time, and would then revoke all tokens of
// this sign-in. After ErrOutcomeUnknown, sign in again.
func (a Accounts) Refresh(ctx context.Context, refresh Secret) (*TokenPair, error) {
	return a.tokenPair(ctx, post(accountsPrefix+"/user/auth/refresh",
		map[string]string{"grant_type": "refresh_token", "refresh_token": refresh.Reveal()}, http.StatusOK))
}

func (a Accounts) tokenPair(ctx context.Context, k call) (*TokenPair, error) {
	k.anonymous = true
	got, err := fetch[struct {
		ExpiresIn    int64  `json:"expires_in"`
		AccessToken  Secret `json:"access_token"`
		RefreshToken Secret `json:"refresh_token"`
	}](ctx, a.client, k)
	if err != nil {
		return nil, err
	}
	if got.AccessToken.IsZero() {
		return nil, badResponse(k, "the response contains no access token")
	}
	return &TokenPair{got.AccessToken, got.RefreshToken, time.Duration(got.ExpiresIn) * time.Second}, nil
}

// RevokeSessions revokes every session of a user, whether the session began with Accounts.SignIn or with Client.SignIn.
// API keys stay valid. The owner can revoke the sessions of every user; other users can revoke only their own.
// RevokeSessions is the only method that accepts a refresh token of the user as the token of the Client.
func (a Accounts) RevokeSessions(ctx context.Context, username string) error {
	return a.client.run(ctx, call{
		method: http.MethodDelete,
		path:   accountsPrefix + "/user/auth/revoke/{user}",
		params: []string{username},
		want:   http.StatusOK,
	})
}

// ShowTOTP returns the TOTP secret of a user. If the user has none, ShowTOTP creates one. ShowTOTP returns ErrForbidden
// if the server has already accepted a code from this secret, or if the user created the secret with EnrolTOTP. Only
// the owner may call ShowTOTP.
func (a Accounts) ShowTOTP(ctx context.Context, username string) (*Enrolment, error) {
	shown, err := fetch[Enrolment](ctx, a.client, get(accountsPrefix+"/user/auth/setup/{user}", username))
	if err != nil {
		return nil, err
	}
	return &shown, nil
}

// Account describes a user. Accounts.ListUsers returns a list of accounts.
type Account struct {
	// Username keeps the letter case that was chosen when the user was created.
	Username string `json:"username"`
	// Group is GroupViewer, GroupManager or GroupOwner, or "" for a user without a group.
	Group   string    `json:"group,omitempty"`
	Created time.Time `json:"created"`
}

// ListUsers returns all users, oldest first. Only the owner may call ListUsers.
func (a Accounts) ListUsers(ctx context.Context) ([]Account, error) {
	return fetch[[]Account](ctx, a.client, get(accountsPrefix+"/user/list"))
}

// AddUser creates a user in a group and returns all users. The new user has no password and signs in with TOTP codes;
// ShowTOTP returns the TOTP secret. AddUser returns ErrConflict if the name is taken or group is GroupOwner. Only the
// owner may call AddUser.
func (a Accounts) AddUser(ctx context.Context, username, group string) ([]Account, error) {
	return fetch[[]Account](ctx, a.client,
		post(accountsPrefix+"/user/add", map[string]string{"username": username, "group": group}, http.StatusOK))
}

// DeleteUser deletes a user and returns the remaining users. DeleteUser is not retried after a lost response, because a
// new user may have taken the name in the meantime. Only the owner may call DeleteUser.
func (a Accounts) DeleteUser(ctx context.Context, username string) ([]Account, error) {
	return fetch[[]Account](ctx, a.client, call{
		method: http.MethodDelete,
		path:   accountsPrefix + "/user/delete/{user}",
		params: []string{username},
		want:   http.StatusOK,
	})
}
