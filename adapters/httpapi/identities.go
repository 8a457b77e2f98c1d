package httpapi

import (
	"net/http"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/identity"
)

// putIdentity answers PUT /users/{username}/identity. The status is 201 for the first identity of the caller, and 200
// for a later identity.
func (a *API) putIdentity(r *request) error {
	body, err := bind[struct {
		Public string  `json:"public"`
		Locked *string `json:"locked"`
	}](r)
	if err != nil {
		return err
	}
	stored, first, err := a.identity.PutIdentity(r.ctx(), r.by,
		identity.PutIdentity{Username: r.param("username"), Public: body.Public, Locked: body.Locked})
	if err != nil {
		return err
	}
	status := http.StatusOK
	if first {
		status = http.StatusCreated
	}
	return r.jsonStatus(status, struct {
		Public      string  `json:"public"`
		Fingerprint string  `json:"fingerprint"`
		CreatedAt   *string `json:"createdAt"`
	}{stored.Public.String(), stored.Fingerprint.String(), rfc3339(stored.CreatedAt)})
}

// identityBody is an identity in a response. User is the name of the user who has the identity. It is absent if this
// user was deleted. Locked is present only if this user is the caller.
type identityBody struct {
	Public      string  `json:"public"`
	Fingerprint string  `json:"fingerprint"`
	User        string  `json:"user,omitempty"`
	UserID      string  `json:"userId"`
	CreatedAt   *string `json:"createdAt"`
	Locked      *bool   `json:"locked,omitempty"`
}

func identityOf(found domain.Identity) identityBody {
	return identityBody{
		Public:      found.Public.String(),
		Fingerprint: found.Fingerprint.String(),
		User:        string(found.Name),
		UserID:      found.User.String(),
		CreatedAt:   rfc3339(found.CreatedAt),
	}
}

// describeIdentity answers GET /users/{username}/identity with the current identity of a user.
func (a *API) describeIdentity(r *request) error {
	found, err := a.identity.DescribeIdentity(r.ctx(), r.by, r.param("username"))
	if err != nil {
		return err
	}
	body := identityOf(found.Identity)
	body.Locked = found.Locked
	return r.json(body, nil)
}

// findIdentity answers GET /identities/{fingerprint}. It also finds identities that are no longer current.
func (a *API) findIdentity(r *request) error {
	found, err := a.identity.FindIdentity(r.ctx(), r.by, r.param("fingerprint"))
	if err != nil {
		return err
	}
	return r.json(identityOf(found), nil)
}

// lockIdentity answers PUT /users/{username}/identity/locked.
func (a *API) lockIdentity(r *request) error {
	body, err := bind[struct {
		Locked string `json:"locked"`
	}](r)
	if err != nil {
		return err
	}
	return r.noContent(a.identity.LockIdentity(r.ctx(), r.by, r.param("username"), body.Locked))
}

// unlockIdentity answers GET /users/{username}/identity/locked. Each response is audited.
func (a *API) unlockIdentity(r *request) error {
	found, err := a.identity.UnlockIdentity(r.ctx(), r.by, r.param("username"))
	if err != nil {
		return err
	}
	defer clear(found.Locked)
	return r.json(struct {
		Locked      string `json:"locked"`
		Fingerprint string `json:"fingerprint"`
	}{domain.FormatBytes(found.Locked), found.Fingerprint.String()}, nil)
}

// deleteLockedIdentity answers DELETE /users/{username}/identity/locked. The identity itself stays.
func (a *API) deleteLockedIdentity(r *request) error {
	return r.noContent(a.identity.DeleteLockedIdentity(r.ctx(), r.by, r.param("username")))
}
