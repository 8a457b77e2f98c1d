package domain

import "strings"

// Role is a user's role in the system. The zero Role means no role.
type Role struct{ name string }

// The roles in the system. An admin manages users and all boxes.
var (
	RoleUser  = Role{"user"}
	RoleAdmin = Role{"admin"}
)

// String returns the role's name in requests and responses.
func (r Role) String() string { return r.name }

// ParseRole parses a role, ignoring letter case.
func ParseRole(text string) (Role, error) {
	for _, role := range []Role{RoleUser, RoleAdmin} {
		if strings.EqualFold(text, role.name) {
			return role, nil
		}
	}
	return Role{}, InvalidField("role", "unknown_role", "role must be user or admin")
}

// BoxRole is a member's role in a box. The zero BoxRole means no role.
type BoxRole struct{ name string }

// The roles in a box. A boxadmin manages the box and its members.
var (
	BoxRoleUser  = BoxRole{"boxuser"}
	BoxRoleAdmin = BoxRole{"boxadmin"}
)

// String returns the role's name in requests and responses.
func (r BoxRole) String() string { return r.name }

// ParseBoxRole parses a role in a box, ignoring letter case.
func ParseBoxRole(text string) (BoxRole, error) {
	for _, role := range []BoxRole{BoxRoleUser, BoxRoleAdmin} {
		if strings.EqualFold(text, role.name) {
			return role, nil
		}
	}
	return BoxRole{}, InvalidField("role", "unknown_role", "role must be boxuser or boxadmin")
}
