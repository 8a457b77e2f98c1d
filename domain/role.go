package domain

import "strings"

// Role is what a user is in the system. The zero Role is none.
type Role struct{ name string }

// The roles of the system.
var (
	RoleUser  = Role{"user"}
	RoleAdmin = Role{"admin"}
)

// String returns the role's name as clients read it.
func (r Role) String() string { return r.name }

// ParseRole reads a role in any letter case.
func ParseRole(text string) (Role, error) {
	for _, role := range []Role{RoleUser, RoleAdmin} {
		if strings.EqualFold(text, role.name) {
			return role, nil
		}
	}
	return Role{}, InvalidField("role", "unknown_role", "role must be user or admin")
}

// BoxRole is what a user is in a box. The zero BoxRole is none.
type BoxRole struct{ name string }

// The roles in a box.
var (
	BoxRoleUser  = BoxRole{"boxuser"}
	BoxRoleAdmin = BoxRole{"boxadmin"}
)

// String returns the role's name as clients read it.
func (r BoxRole) String() string { return r.name }

// ParseBoxRole reads a role in a box in any letter case.
func ParseBoxRole(text string) (BoxRole, error) {
	for _, role := range []BoxRole{BoxRoleUser, BoxRoleAdmin} {
		if strings.EqualFold(text, role.name) {
			return role, nil
		}
	}
	return BoxRole{}, InvalidField("role", "unknown_role", "role must be boxuser or boxadmin")
}
