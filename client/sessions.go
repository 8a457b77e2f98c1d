package client

import (
	"context"
	"net/http"
	"time"
)

// accounts is what the paths of accounts with one-time codes, and of droplets, begin with.
const accounts = "/api/v1"

// Credentials are how somebody signs in.
type Credentials struct {
	Username string
	Password Secret
	// Code is a one-time code; for SignIn, a recovery code does as well.
	Code Secret
}

func (c Credentials) body() passwordBody {
	return passwordBody{c.Username, c.Password.Reveal(), "", c.Code.Reveal()}
}

// Session is what SignIn returns.
type Session struct {
	// Token is for Config.Token or WithToken.
	Token Secret
	// ExpiresAt is when it ends, 7 days from now by default.
	ExpiresAt time.Time
}

// SignIn trades a password for a token (POST /authenticate). It returns ErrUnauthenticated for a wrong name, password or
// code, ErrCodeRequired when the password is right and Code is missing, ErrThrottled after too many wrong attempts.
func (c *Client) SignIn(ctx context.Context, with Credentials) (*Session, error) {
	k := post("/authenticate", with.body(), http.StatusOK)
	k.nobody = true
	made, err := fetch[struct {
		Token  Secret `json:"token"`
		Expiry int64  `json:"expiry"`
	}](ctx, c, k)
	if err != nil {
		return nil, err
	}
	if made.Token.IsZero() {
		return nil, badAnswer(k, "the answer has no token")
	}
	return &Session{made.Token, time.UnixMilli(made.Expiry).UTC()}, nil
}

// TokenPair is what SignInWithCode and Refresh return.
type TokenPair struct {
	// Access is for Config.Token or WithToken.
	Access Secret
	// Refresh is for Refresh, once.
	Refresh Secret
	// ExpiresIn is how long Access lives from now, 2 h by default.
	ExpiresIn time.Duration
}

// SignInWithCode trades a one-time code, and the password of who has one, for a pair of tokens. It returns
// ErrUnauthenticated for a wrong name, password or code, or a code that was used before.
func (c *Client) SignInWithCode(ctx context.Context, with Credentials) (*TokenPair, error) {
	return c.pair(ctx, post(accounts+"/user/auth", with.body(), http.StatusOK))
}

// Refresh trades a refresh token for a new pair; the old pair is dead at once. It is never sent again: a refresh token
// that arrives twice ends all tokens that came from the same sign-in. After ErrOutcomeUnknown, sign in again.
func (c *Client) Refresh(ctx context.Context, refresh Secret) (*TokenPair, error) {
	return c.pair(ctx, post(accounts+"/user/auth/refresh",
		map[string]string{"grant_type": "refresh_token", "refresh_token": refresh.Reveal()}, http.StatusOK))
}

func (c *Client) pair(ctx context.Context, k call) (*TokenPair, error) {
	k.nobody = true
	made, err := fetch[struct {
		ExpiresIn    int64  `json:"expires_in"`
		AccessToken  Secret `json:"access_token"`
		RefreshToken Secret `json:"refresh_token"`
	}](ctx, c, k)
	if err != nil {
		return nil, err
	}
	if made.AccessToken.IsZero() {
		return nil, badAnswer(k, "the answer has no token")
	}
	return &TokenPair{made.AccessToken, made.RefreshToken, time.Duration(made.ExpiresIn) * time.Second}, nil
}

// RevokeSessions ends every session of a user, and leaves its API keys. The owner may, and the user itself, also with its
// refresh token in place of the token.
func (c *Client) RevokeSessions(ctx context.Context, username string) error {
	k := call{
		method: http.MethodDelete,
		path:   accounts + "/user/auth/revoke/{user}",
		params: []string{username},
		want:   http.StatusOK,
	}
	return c.run(ctx, k)
}
