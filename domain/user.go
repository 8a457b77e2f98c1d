package domain

import "time"

// User is a person or a program that signs in.
type User struct {
	ID   UserID
	Name UserName
	// Spelling is the name as it was typed when the user was created; Name is in lower case.
	Spelling string
	Role     Role
	// Group is GroupOwner for the owner, and for no other user.
	Group  Group
	Active bool
	// Owner marks the one owner of the system, who is always an active admin.
	Owner bool
	// SessionEpoch is raised to revoke all sessions: a session with a lower epoch is not valid.
	SessionEpoch int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// NewUser returns an active user without a group.
func NewUser(id UserID, name UserName, role Role, now time.Time) User {
	return User{
		ID:        id,
		Name:      name,
		Spelling:  string(name),
		Role:      role,
		Active:    true,
		CreatedAt: now,
		UpdatedAt: now,
	}
}

// RoleForNewUser decides whether creator may create a user, and returns the role of the new user. The creator argument
// is nil for a request without a token. The argument "requested" is the zero Role if the request names no role. In this
// case, the new user gets RoleUser. Without open registration, only an admin may create users. With open registration,
// every caller may create users, but only an admin may choose the role.
func RoleForNewUser(creator *Caller, requested Role, openRegistration bool) (Role, error) {
	switch {
	case creator != nil && creator.IsAdmin():
		if requested == (Role{}) {
			return RoleUser, nil
		}
		return requested, nil
	case openRegistration:
		return RoleUser, nil
	case creator == nil:
		return Role{}, ErrUnauthenticated
	default:
		return Role{}, ErrAdminOnly
	}
}

// AuthorizeAccount decides whether the caller may see or change the named account. The user of the account and all
// admins may see and change it. The decision needs no lookup of the account, so the refusal does not reveal whether the
// account exists.
func (c Caller) AuthorizeAccount(name UserName) error {
	if c.IsAdmin() || c.Name == name {
		return nil
	}
	return ErrAdminOnly
}

// UserChange is a request to change a user; nil and false mean no change.
type UserChange struct {
	Role   *Role
	Active *bool
	// Group is the new group. Only the owner may change it. GroupOwner hands the system over.
	Group *Group
	// Password reports whether the change sets a new password.
	Password      bool
	RevokeAPIKeys bool
}

// HandsOver reports whether the change makes the user the owner.
func (c UserChange) HandsOver() bool { return c.Group != nil && *c.Group == GroupOwner }

// demotes reports whether the change removes the admin role or the owner's group, or deactivates the user.
func (c UserChange) demotes() bool {
	return c.Role != nil && *c.Role != RoleAdmin || c.Active != nil && !*c.Active ||
		c.Group != nil && *c.Group != GroupOwner
}

// ownPassword reports whether the change is only a new password, with or without a revocation of the API keys. Users
// may make this change to their own account.
func (c UserChange) ownPassword() bool {
	return c.Role == nil && c.Active == nil && c.Group == nil && (c.Password || !c.RevokeAPIKeys)
}

// Change applies a change by a caller. If the change sets a password or deactivates the user, Change raises the session
// epoch. This revokes all sessions of the user. The result revokeKeys reports whether all API keys of the user must be
// revoked; Change itself does not revoke them. If Change returns an error, the user is unchanged.
func (u *User) Change(by Caller, change UserChange, now time.Time) (revokeKeys bool, err error) {
	if err := u.authorizeChange(by, change); err != nil {
		return false, err
	}
	deactivated := change.Active != nil && !*change.Active && u.Active
	if change.Role != nil {
		u.Role = *change.Role
	}
	if change.Active != nil {
		u.Active = *change.Active
	}
	if change.Group != nil {
		u.Group = *change.Group
	}
	if change.Password || deactivated {
		u.EndSessions()
	}
	u.UpdatedAt = now
	return deactivated || change.RevokeAPIKeys, nil
}

// authorizeChange decides whether a caller may make a change. Only the owner and an operator may change the owner's
// account, and they cannot demote or deactivate the owner. Users who are not admins change only their own password.
// Only the owner changes groups.
func (u *User) authorizeChange(by Caller, change UserChange) error {
	own := by.Is(u.ID)
	switch {
	case u.Owner && !own && !by.Operator:
		return ErrOwnerProtected
	case !by.IsAdmin() && !(own && change.ownPassword()):
		return ErrAdminOnly
	case change.Group != nil && !by.Owner:
		return ErrOwnerOnly
	case (u.Owner || change.HandsOver()) && change.demotes():
		return ErrOwnerStays
	}
	return nil
}

// EndSessions revokes all sessions of the user. API keys stay valid.
func (u *User) EndSessions() { u.SessionEpoch++ }

// TakeOver makes an active user the owner. The former owner stays an admin and becomes a manager.
func (u *User) TakeOver(former *User, now time.Time) error {
	if !u.Active {
		return ErrNewOwnerInactive
	}
	u.Owner, u.Role, u.Group, u.UpdatedAt = true, RoleAdmin, GroupOwner, now
	former.Owner, former.Group, former.UpdatedAt = false, GroupManager, now
	return nil
}

// AssignGroup gives a user a group on behalf of an operator. It checks no permissions. GroupOwner makes an active user
// the owner; the caller of AssignGroup must check that the system has no owner yet. The group of the owner cannot be
// changed.
func (u *User) AssignGroup(group Group, now time.Time) error {
	if u.Owner && group != GroupOwner {
		return ErrOwnerStays
	}
	u.Group = group
	if group == GroupOwner {
		return u.TakeOver(&User{}, now) // there is no former owner
	}
	return nil
}

// Deletable decides whether a caller may delete the user. ownedBoxes are the boxes that the user owns.
func (u User) Deletable(by Caller, ownedBoxes []BoxName) error {
	switch {
	case !by.IsAdmin():
		return ErrAdminOnly
	case u.Owner:
		return ErrOwnerStays
	case len(ownedBoxes) > 0:
		return Refuse(Conflict, "user_owns_boxes", "the user owns boxes; transfer or delete them first: "+
			joinNames(ownedBoxes))
	}
	return nil
}

// joinNames lists names for a message, and shortens a long list.
func joinNames(names []BoxName) string {
	const limit = 20
	text := ""
	for i, name := range names {
		if i == limit {
			return text + ", …"
		}
		if i > 0 {
			text += ", "
		}
		text += string(name)
	}
	return text
}
