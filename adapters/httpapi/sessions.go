package httpapi

import "github.com/lockbox-go/lockbox/domain/identity"

// initialize creates the first user, who is the owner of the system.
func (a *API) initialize(r *request) error {
	token, err := r.takeHeader(headerInitToken)
	if err != nil {
		return err
	}
	body, err := bind[struct {
		Username string `json:"username"`
		Password string `json:"password"`
	}](r)
	if err != nil {
		return err
	}
	key, err := a.identity.Initialize(r.ctx(), r.by,
		identity.Initialize{Username: body.Username, Password: body.Password, Token: token})
	a.setInstallation(r, err)
	return r.json(apiKeyBody{key}, err)
}

// setInstallation sets the header that identifies the database. It does nothing if err is not nil. A client reads this
// header when it begins to use the server.
func (a *API) setInstallation(r *request, err error) {
	if err == nil {
		r.Response().Header().Set(headerInstallation, a.identity.Installation().String())
	}
}

// signInBody is the body of a sign-in in either API.
type signInBody struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	Code     codeText `json:"code"`
}

// authenticate answers POST /authenticate with a session token. Users with two-factor authentication must send a code.
// If the user does not have two-factor authentication, a code is ignored.
func (a *API) authenticate(r *request) error {
	body, err := bind[signInBody](r)
	if err != nil {
		return err
	}
	token, ends, err := a.identity.Authenticate(r.ctx(), r.by,
		identity.Authenticate{Username: body.Username, Password: body.Password, Code: string(body.Code)})
	a.setInstallation(r, err)
	return r.json(struct {
		Token  string `json:"token"`
		Expiry int64  `json:"expiry"` // Unix milliseconds
	}{token, ends.UnixMilli()}, err)
}

// callerBody describes a caller and the token of the request. Group is null if the caller is in no group.
type callerBody struct {
	Username     string    `json:"username"`
	ID           string    `json:"id"`
	Role         string    `json:"role"`
	Group        *string   `json:"group"`
	Token        tokenBody `json:"token"`
	Installation string    `json:"installation"`
}

// tokenBody describes a token without showing it. ExpiresAt is null for a token that does not expire.
type tokenBody struct {
	Kind      string  `json:"kind"`
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	ExpiresAt *string `json:"expiresAt"`
}

// whoAmI answers GET /whoami. Clients use it to check a token.
func (a *API) whoAmI(r *request) error {
	caller, err := a.identity.WhoAmI(r.ctx(), r.by)
	if err != nil {
		return err
	}
	return r.json(callerBody{
		Username: string(caller.Name),
		ID:       caller.UserID.String(),
		Role:     caller.Role.String(),
		Group:    orNull(caller.Group.String()),
		Token: tokenBody{
			Kind:      string(caller.Credential.Kind),
			ID:        caller.Credential.ID.String(),
			Name:      caller.CredentialName,
			ExpiresAt: rfc3339(caller.ExpiresAt),
		},
		Installation: a.identity.Installation().String(),
	}, nil)
}
