package httpapi

import "github.com/lockbox-go/lockbox/domain/identity"

// showTOTP answers GET /user/auth/setup/{user} with the TOTP secret of a user. The request is refused if the server has
// already accepted a TOTP code for this secret. It is also refused if the user created the secret with enrolTOTP.
func (a *API) showTOTP(r *request) error {
	enrolment, err := a.accounts.ShowTOTP(r.ctx(), r.by, r.param("user"))
	if err != nil {
		return err
	}
	return r.json(struct {
		QR     string `json:"qr"`
		Secret string `json:"secret"`
	}{qrURI(enrolment), enrolment.Secret}, nil)
}

// accountLine is a user in a response of the accounts API. Group is null for users in no group.
type accountLine struct {
	Username string  `json:"username"`
	Group    *string `json:"group"`
	Created  *string `json:"created"`
}

// listAccounts answers GET /user/list with all users, in the order in which they were created. Usernames have their
// original upper and lower case letters.
func (a *API) listAccounts(r *request) error {
	users, err := a.accounts.ListUsers(r.ctx(), r.by)
	lines := make([]accountLine, len(users))
	for i, user := range users {
		lines[i] = accountLine{user.Spelling, orNull(user.Group.String()), rfc3339(user.CreatedAt)}
	}
	return r.json(lines, err)
}

// addAccount answers POST /user/add with the updated list of users.
func (a *API) addAccount(r *request) error {
	body, err := bindOptional[struct { // an absent body counts as incomplete: errorId 913
		Username string `json:"username"`
		Group    string `json:"group"`
	}](r)
	if err != nil {
		return err
	}
	in := identity.AccountsAddUser{Username: body.Username, Group: body.Group}
	if err := a.accounts.AddUser(r.ctx(), r.by, in); err != nil {
		return err
	}
	return a.listAccounts(r)
}

// deleteAccount answers DELETE /user/delete/{user} with the updated list of users.
func (a *API) deleteAccount(r *request) error {
	if err := a.accounts.DeleteUser(r.ctx(), r.by, r.param("user")); err != nil {
		return err
	}
	return a.listAccounts(r)
}
