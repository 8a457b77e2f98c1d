package httpapi

import (
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
)

// tokenPairBody is an access token and its refresh token, in the form of OAuth 2.0 (RFC 6749, section 5.1).
type tokenPairBody struct {
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// newTokenPairBody converts the tokens of a pair to text. No later response contains these tokens.
func newTokenPairBody(pair identity.TokenPair) tokenPairBody {
	return tokenPairBody{
		TokenType:    "Bearer",
		ExpiresIn:    int64(pair.ExpiresIn.Seconds()),
		AccessToken:  pair.Access.String(),
		RefreshToken: pair.Refresh.String(),
	}
}

// signInWithCode answers POST /user/auth with a pair of tokens. A user who has a password must send the password as
// well.
func (a *API) signInWithCode(r *request) error {
	body, err := bindOptional[signInBody](r) // an absent body counts as incomplete: errorId 901
	if err != nil {
		return err
	}
	pair, err := a.accounts.SignIn(r.ctx(), r.by,
		identity.AccountsSignIn{Username: body.Username, Code: string(body.Code), Password: body.Password})
	if err != nil {
		return err
	}
	return r.json(newTokenPairBody(pair), nil)
}

// refreshTokens answers POST /user/auth/refresh with a new pair. Both tokens of the old pair are revoked. If a client
// sends the old refresh token again, the new pair is revoked as well.
func (a *API) refreshTokens(r *request) error {
	body, err := bind[struct {
		GrantType    string `json:"grant_type"`
		RefreshToken string `json:"refresh_token"`
	}](r)
	if err != nil {
		return err
	}
	if body.GrantType != "refresh_token" {
		return domain.InvalidField("grant_type", "unsupported_grant_type", `grant_type must be "refresh_token"`)
	}
	pair, err := a.accounts.Refresh(r.ctx(), r.by, body.RefreshToken)
	if err != nil {
		return err
	}
	return r.json(newTokenPairBody(pair), nil)
}

// revokeSessions answers DELETE /user/auth/revoke/{user}. It revokes the user's sessions in both APIs, but none of the
// user's API keys.
func (a *API) revokeSessions(r *request) error {
	err := a.accounts.RevokeSessions(r.ctx(), r.by, r.param("user"))
	return r.json(struct {
		Status string `json:"status"`
	}{"ok"}, err)
}
