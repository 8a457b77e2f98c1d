package domain

import "time"

// User is somebody, or some program, that signs in.
type User struct {
	ID   UserID
	Name UserName
	// Spelling is the name as it was given at creation.
	Spelling string
	Role     Role
	// Group is GroupOwner for the owner, and for nobody else.
	Group  Group
	Active bool
	// Owner marks the one owner of the system, who is always an active admin.
	Owner bool
	// SessionEpoch goes up whenever all sessions end; a session of an earlier epoch is dead.
	SessionEpoch int64
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// NewUser makes an active user.
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

// RoleForNewUser decides who may create a user and what the user becomes. creator is nil for a request without a token;
// asked is the zero Role when none was asked for. Without open registration only an admin creates users; with it,
// whoever is not an admin makes plain users whatever was asked for.
func RoleForNewUser(creator *Caller, asked Role, openRegistration bool) (Role, error) {
	switch {
	case creator != nil && creator.IsAdmin():
		if asked == (Role{}) {
			return RoleUser, nil
		}
		return asked, nil
	case openRegistration:
		return RoleUser, nil
	case creator == nil:
		return Role{}, ErrUnauthenticated
	default:
		return Role{}, ErrAdminOnly
	}
}

// UserChange is what may be asked of a user at once; nil and false leave things as they are.
type UserChange struct {
	Role   *Role
	Active *bool
	// Group is for the owner to change; GroupOwner hands the place over.
	Group         *Group
	Password      bool // a new password is being set
	RevokeAPIKeys bool
}

// AuthorizeAccount decides whether the caller may see or change the account of that name at all: an admin may, and the user
// itself. It needs no look at the account, so that the refusal does not tell whether it exists.
func (c Caller) AuthorizeAccount(name UserName) error {
	if c.IsAdmin() || c.Name == name {
		return nil
	}
	return ErrAdminOnly
}

// Change applies a change that a caller asks for. The owner's account is for the owner alone; a user without the role
// of admin changes nothing of its own but the password and, with it, the API keys; the owner stays an active admin.
// Deactivation and a new password end all sessions; keysEnd reports whether all API keys end too.
func (u *User) Change(by Caller, change UserChange, now time.Time) (keysEnd bool, err error) {
	itself := by.Is(u.ID)
	switch {
	case u.Owner && !itself && !by.Operator:
		return false, ErrOwnerProtected
	case !by.IsAdmin() && (!itself || change.Role != nil || change.Active != nil || change.Group != nil ||
		change.RevokeAPIKeys && !change.Password):
		return false, ErrAdminOnly
	case change.Group != nil && !by.Owner:
		return false, ErrOwnerOnly
	case (u.Owner || change.HandsOver()) && change.unseats():
		return false, ErrOwnerStays
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

// EndSessions makes every token of the user end but its API keys.
func (u *User) EndSessions() { u.SessionEpoch++ }

// HandsOver reports whether the change makes somebody else the owner, or the owner once more.
func (c UserChange) HandsOver() bool { return c.Group != nil && *c.Group == GroupOwner }

// TakeOver makes an active user the owner of the system in the place of another, who stays an admin, and a manager.
func (u *User) TakeOver(former *User, now time.Time) error {
	if !u.Active {
		return ErrNewOwnerInactive
	}
	u.Owner, u.Role, u.Group, u.UpdatedAt = true, RoleAdmin, GroupOwner, now
	former.Owner, former.Group, former.UpdatedAt = false, GroupManager, now
	return nil
}

// unseats reports whether the change would make somebody less than an active admin.
func (c UserChange) unseats() bool {
	return c.Role != nil && *c.Role != RoleAdmin || c.Active != nil && !*c.Active ||
		c.Group != nil && *c.Group != GroupOwner
}

// Deletable decides whether a user may be deleted by the caller; ownedBoxes are the names of the boxes it owns.
func (u User) Deletable(by Caller, ownedBoxes []BoxName) error {
	switch {
	case !by.IsAdmin():
		return ErrAdminOnly
	case u.Owner:
		return ErrOwnerStays
	case len(ownedBoxes) > 0:
		return Refuse(Conflict, "user_owns_boxes", "the user owns boxes; give them to others or delete them first: "+
			joinNames(ownedBoxes))
	}
	return nil
}

// joinNames lists names for a sentence, and cuts a long list.
func joinNames(names []BoxName) string {
	const most = 20
	text := ""
	for i, name := range names {
		if i == most {
			return text + ", …"
		}
		if i > 0 {
			text += ", "
		}
		text += string(name)
	}
	return text
}
