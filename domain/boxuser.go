package domain

// DefaultPermissions are those of a user who is added to a box.
const DefaultPermissions = ReadEntryKeys | ReadEntry

// BoxUser is what a user is in one box.
type BoxUser struct {
	Box         BoxID
	User        UserID
	Name        UserName
	Role        BoxRole
	Active      bool
	Permissions Permissions
}

// NewBoxOwner is the first user of a box.
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

// NewBoxUser is a user who is added to a box; the zero role means boxuser.
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

// Change sets what is not nil. The owner of the box stays an active boxadmin.
func (m *BoxUser) Change(box Box, role *BoxRole, active *bool) error {
	unseats := role != nil && *role != BoxRoleAdmin || active != nil && !*active
	if m.User == box.Owner && unseats {
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

// Removable decides whether the user may leave the box: not its owner, and not the last active boxadmin.
func (m BoxUser) Removable(box Box, users []BoxUser) error {
	if m.User == box.Owner {
		return ErrBoxOwnerStays
	}
	// The owner is always an active boxadmin, so that this finds one; it says what holds if that ever changes.
	for _, other := range users {
		if other.User != m.User && other.Active && other.Role == BoxRoleAdmin {
			return nil
		}
	}
	return ErrLastBoxAdmin
}

// TakeOver makes an active user of the box its owner, who becomes boxadmin.
func (m *BoxUser) TakeOver(box *Box) error {
	if !m.Active {
		return ErrNewOwnerNotInBox
	}
	m.Role = BoxRoleAdmin
	box.Owner = m.User
	return nil
}
