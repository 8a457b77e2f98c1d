package domain

import "time"

// BoxSalt is the salt of a box. It is used to derive keys from passphrases. It is not secret.
type BoxSalt [16]byte

// Box is a workspace with an owner, members and entries.
type Box struct {
	ID    BoxID
	Name  BoxName
	Owner UserID
	Salt  BoxSalt
	// Key identifies the current box key. It is zero for a box without a keyring.
	Key       KeyID
	CreatedAt time.Time
	// UpdatedAt is the time of the latest change of the box or its members. Adding or deleting an entry also counts as
	// a change, but overwriting a value does not.
	UpdatedAt time.Time
}

// BoxOfferTTL is how long an offer of ownership is open.
const BoxOfferTTL = 7 * 24 * time.Hour

// BoxOffer is an offer to transfer the ownership of a box to one of its members. A box counts against its owner's
// quota, and an owner of boxes cannot be deleted. A box that is offered therefore changes its owner only when the
// member accepts the offer. The zero BoxOffer means that there is no offer.
type BoxOffer struct {
	To UserID
	// ToName is the name of the member.
	ToName    UserName
	ExpiresAt time.Time
}

// NewBoxOffer returns an offer that is open for BoxOfferTTL. It returns ErrNewOwnerNotInBox if the member is inactive.
func NewBoxOffer(to BoxUser, now time.Time) (BoxOffer, error) {
	if !to.Active {
		return BoxOffer{}, ErrNewOwnerNotInBox
	}
	return BoxOffer{To: to.User, ToName: to.Name, ExpiresAt: now.Add(BoxOfferTTL).Truncate(time.Second)}, nil
}

// Open reports whether the offer can be accepted at the given time.
func (o BoxOffer) Open(now time.Time) bool { return !o.To.IsZero() && now.Before(o.ExpiresAt) }

// CheckBoxQuota decides whether a user who owns the given number of boxes may own another box. A limit of 0 means no
// limit. Admins have no limit.
func CheckBoxQuota(role Role, owned, limit int) error {
	if role != RoleAdmin && limit > 0 && owned >= limit {
		return LimitReached("this user cannot have more boxes")
	}
	return nil
}

// Access is a caller, a box and the caller's membership. Its methods decide what the caller may do with the box.
type Access struct {
	Caller Caller
	// Box is zero when the box does not exist.
	Box Box
	// Member is nil when the caller is not a member of the box.
	Member *BoxUser
}

// isMember reports whether the caller is an active member of the box.
func (a Access) isMember() bool { return a.Member != nil && a.Member.Active }

// See decides whether the caller may see the box. Active members of the box and admins may see it. Other callers get
// the error for a missing box.
func (a Access) See() error {
	if a.Box.ID.IsZero() || !a.isMember() && !a.Caller.IsAdmin() {
		return ErrBoxNotFound
	}
	return nil
}

// Manage decides whether the caller may manage the box and its members. Boxadmins of the box and admins may manage it.
func (a Access) Manage() error {
	if err := a.See(); err != nil {
		return err
	}
	if a.Caller.IsAdmin() || a.isMember() && a.Member.Role == BoxRoleAdmin {
		return nil
	}
	return ErrBoxAdminOnly
}

// Inspect decides whether the caller may see a member's role and permissions. The member and callers who may manage the
// box may see them.
func (a Access) Inspect(user UserName) error {
	if err := a.See(); err != nil {
		return err
	}
	if a.isMember() && a.Caller.Name == user {
		return nil
	}
	return a.Manage()
}

// Transfer decides whether the caller may transfer the box to another owner. The owner of the box and admins may
// transfer it. See TransfersDirectly.
func (a Access) Transfer() error {
	if err := a.See(); err != nil {
		return err
	}
	if a.Caller.IsAdmin() || a.isMember() && a.Box.Owner == a.Caller.UserID {
		return nil
	}
	return ErrBoxOwnerOnly
}

// TransfersDirectly reports whether a transfer by the caller takes effect without the consent of the new owner. A
// transfer by an admin takes effect directly. A transfer by an owner who is not an admin is only an offer.
func (a Access) TransfersDirectly() bool { return a.Caller.IsAdmin() }

// EndOffer decides whether the caller may end an offer. The owner of the box and admins may withdraw the offer. The
// member who received the offer may decline it.
func (a Access) EndOffer(offer BoxOffer) error {
	if err := a.See(); err != nil {
		return err
	}
	if a.isMember() && offer.To == a.Caller.UserID {
		return nil
	}
	return a.Transfer()
}

// Remove decides whether the caller may remove a member. Callers who may manage the box may remove every member. Every
// member may leave the box.
func (a Access) Remove(user UserName) error {
	if err := a.See(); err != nil {
		return err
	}
	if a.isMember() && a.Caller.Name == user {
		return nil
	}
	return a.Manage()
}

// Use decides whether the caller has all of the wanted permissions over the entries of the box. No role replaces a
// permission: boxadmins and admins need the permissions too. They can grant themselves permissions, and the grant is
// audited.
func (a Access) Use(wanted Permissions) error {
	if err := a.See(); err != nil {
		return err
	}
	if a.isMember() && a.Member.Permissions.Have(wanted) {
		return nil
	}
	return ErrPermissionMissing
}

// SeesKeys reports whether the caller may list the keys of the box's entries.
func (a Access) SeesKeys() bool { return a.Use(ReadEntryKeys) == nil }
