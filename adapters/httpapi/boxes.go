package httpapi

import (
	"time"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
)

// listBoxes answers GET /boxes with the names of the boxes in which the caller is active.
func (a *API) listBoxes(r *request) error {
	return r.json(a.vault.ListBoxes(r.ctx(), r.by))
}

// createBox answers POST /boxes/{box}. The caller becomes its owner, with all permissions. The request has no body.
func (a *API) createBox(r *request) error {
	name, err := a.vault.CreateBox(r.ctx(), r.by, r.param("box"))
	if err != nil {
		return err
	}
	return r.created("boxes", string(name))
}

// boxBody is a box in a response. Entries is empty for callers without the permission readEntryKeys.
type boxBody struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Owner string `json:"owner"`
	// Offer is omitted if there is no open offer, because clients of older releases do not know this field.
	Offer     *boxOfferBody     `json:"offer,omitempty"`
	CreatedAt string            `json:"createdAt"`
	UpdatedAt string            `json:"updatedAt"`
	Entries   []domain.EntryKey `json:"entries"`
	Users     []boxUserLine     `json:"users"`
	// Encryption and Keyring are present only if the box has a keyring. The only value of Encryption is "server", which
	// means that the server encrypts the values.
	Encryption string          `json:"encryption,omitempty"`
	Keyring    *keyringSummary `json:"keyring,omitempty"`
}

// boxOfferBody is an open offer to transfer the ownership of a box.
type boxOfferBody struct {
	To        string    `json:"to"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// boxUserLine is a member of a box in a response.
type boxUserLine struct {
	Username string `json:"username"`
	Role     string `json:"role"`
	IsActive bool   `json:"isActive"`
}

// describeBox answers GET /boxes/{box}, for members of the box and for admins.
func (a *API) describeBox(r *request) error {
	seen, err := a.vault.DescribeBox(r.ctx(), r.by, r.param("box"))
	if err != nil {
		return err
	}
	users := make([]boxUserLine, len(seen.Users))
	for i, user := range seen.Users {
		users[i] = boxUserLine{string(user.Name), user.Role.String(), user.Active}
	}
	var offer *boxOfferBody
	if !seen.Offer.To.IsZero() {
		offer = &boxOfferBody{string(seen.Offer.ToName), seen.Offer.ExpiresAt}
	}
	body := boxBody{
		ID:        seen.Box.ID.String(),
		Name:      string(seen.Box.Name),
		Owner:     string(seen.Owner),
		Offer:     offer,
		CreatedAt: seen.Box.CreatedAt.Format(wholeSeconds),
		UpdatedAt: seen.UpdatedAt.Format(wholeSeconds),
		Entries:   seen.Keys,
		Users:     users,
	}
	if seen.Keyring != nil {
		body.Encryption, body.Keyring = "server", summaryOf(*seen.Keyring)
	}
	return r.json(body, nil)
}

// transferBox answers PUT /boxes/{box}. The new owner must be an active member. The transfer takes effect when the new
// owner accepts it, or immediately if an admin requests it.
func (a *API) transferBox(r *request) error {
	body, err := bind[struct {
		Owner string `json:"owner"`
	}](r)
	if err != nil {
		return err
	}
	return r.noContent(a.vault.TransferBox(r.ctx(), r.by, vault.TransferBox{Box: r.param("box"), NewOwner: body.Owner}))
}

// acceptBox answers POST /boxes/{box}/offer/accept. The caller becomes the owner.
func (a *API) acceptBox(r *request) error {
	return r.noContent(a.vault.AcceptBox(r.ctx(), r.by, r.param("box")))
}

// endBoxOffer answers DELETE /boxes/{box}/offer. If the caller is the owner, the request withdraws the offer. If the
// caller is the member to whom the box is offered, the request declines the offer.
func (a *API) endBoxOffer(r *request) error {
	return r.noContent(a.vault.EndBoxOffer(r.ctx(), r.by, r.param("box")))
}

// deleteBox answers DELETE /boxes/{box}. The box and all its entries are deleted permanently.
func (a *API) deleteBox(r *request) error {
	return r.noContent(a.vault.DeleteBox(r.ctx(), r.by, r.param("box")))
}
