package domain

// DefaultPermissions are the permissions of a new member.
const DefaultPermissions = ReadEntryKeys | ReadEntry

// BoxUser is a member of a box: a user with a role and permissions in it. The role and the permissions of an inactive
// member have no effect.
type BoxUser struct {
	Box         BoxID
	User        UserID
	Name        UserName
	Role        BoxRole
	Active      bool
	Permissions Permissions
}

// NewBoxOwner returns the owner of a new box, who is its first member.
func NewBoxOwner(box BoxID, user UserID, name UserName) BoxUser {
	return BoxUser{
		Box:         box,
		User:        user,
		Name:        name,
		Role:        BoxRoleAdmin,
		Active:      true,
		Permissions: AllPermissions,
	}
}

// NewBoxUser returns a new member with the default permissions; the zero role means boxuser.
func NewBoxUser(box BoxID, user UserID, name UserName, role BoxRole) BoxUser {
	if role == (BoxRole{}) {
		role = BoxRoleUser
	}
	return BoxUser{
		Box:         box,
		User:        user,
		Name:        name,
		Role:        role,
		Active:      true,
		Permissions: DefaultPermissions,
	}
}

// Change sets the role and the state; nil means no change. It refuses to demote or deactivate the owner of the box.
func (m *BoxUser) Change(box Box, role *BoxRole, active *bool) error {
	demotes := role != nil && *role != BoxRoleAdmin || active != nil && !*active
	if m.User == box.Owner && demotes {
		return ErrBoxOwnerStays
	}
	if role != nil {
		m.Role = *role
	}
	if active != nil {
		m.Active = *active
	}
	return nil
}

// Removable decides whether the member may be removed from the box. The owner and the last active boxadmin cannot be
// removed. users must contain all members of the box.
func (m BoxUser) Removable(box Box, users []BoxUser) error {
	if m.User == box.Owner {
		return ErrBoxOwnerStays
	}
	// Today, the owner is always an active boxadmin, so this loop finds at least the owner. The loop enforces the rule
	// even if a later change drops that guarantee.
	for _, other := range users {
		if other.User != m.User && other.Active && other.Role == BoxRoleAdmin {
			return nil
		}
	}
	return ErrLastBoxAdmin
}

// TakeOver makes an active member the owner of the box and a boxadmin.
func (m *BoxUser) TakeOver(box *Box) error {
	if !m.Active {
		return ErrNewOwnerNotInBox
	}
	m.Role = BoxRoleAdmin
	box.Owner = m.User
	return nil
}
