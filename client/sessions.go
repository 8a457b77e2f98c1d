package client

import (
	"context"
	"net/http"
	"time"
)

// Credentials are the input of Client.SignIn and Accounts.SignIn.
type Credentials struct {
	Username string
	Password Secret
	// Code is a TOTP code. Client.SignIn accepts a recovery code as well.
	Code Secret
}

func (c Credentials) body() passwordBody {
	return passwordBody{Username: c.Username, Password: c.Password.Reveal(), Code: c.Code.Reveal()}
}

// Session is the result of Client.SignIn.
type Session struct {
	// Token is the session token. Pass it to WithToken, or set Config.Token to it.
	Token Secret
	// ExpiresAt is the time when the token expires, by default 7 days after the sign-in.
	ExpiresAt time.Time
	// Installation is the id of the installation. It stays the same as long as the database exists.
	Installation string
}

// SignIn signs a user in with a password and returns a session token (POST /authenticate). It returns
// ErrUnauthenticated for a wrong name, password or code. It returns ErrTOTPRequired if the password is right but the
// user must also send a code. It returns ErrThrottled after too many wrong attempts. SignIn is not retried after a lost
// response.
func (c *Client) SignIn(ctx context.Context, credentials Credentials) (*Session, error) {
	k := post("/authenticate", credentials.body(), http.StatusOK)
	k.anonymous = true
	answer, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	got, err := decode[struct {
		Token  Secret `json:"token"`
		Expiry int64  `json:"expiry"`
	}](answer, k)
	if err != nil {
		return nil, err
	}
	if got.Token.IsZero() {
		return nil, badResponse(k, "the response contains no token")
	}
	return &Session{got.Token, time.UnixMilli(got.Expiry).UTC(), answer.header.Get("X-Lockbox-Installation")}, nil
}
