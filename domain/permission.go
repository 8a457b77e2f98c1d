package domain

import "strings"

// Permissions is a set of permissions on the entries of one box.
type Permissions uint8

// The permissions, in the order in which they are always listed. They are stored as these bits: never reorder them.
const (
	// ReadEntryKeys allows listing the keys and the versions of entries.
	ReadEntryKeys Permissions = 1 << iota
	// ReadEntry allows reading values.
	ReadEntry
	// CreateEntry allows writing values.
	CreateEntry
	// DeleteEntry allows deleting values.
	DeleteEntry
	afterLast // add a new permission before this line

	NoPermissions  Permissions = 0
	AllPermissions             = afterLast - 1
)

// permissionNames is the table of permissions: their names, and the order in which they are listed. A test compares the
// table with AllPermissions, the client, the API description and the documentation.
var permissionNames = [...]struct {
	permission Permissions
	name       string
}{
	{ReadEntryKeys, "readEntryKeys"},
	{ReadEntry, "readEntry"},
	{CreateEntry, "createEntry"},
	{DeleteEntry, "deleteEntry"},
}

// Have reports whether the set contains all permissions in wanted.
func (p Permissions) Have(wanted Permissions) bool { return p&wanted == wanted }

// Names returns the names of the permissions in camel case and in the fixed order. For an empty set it returns an
// empty, non-nil list.
func (p Permissions) Names() []string {
	names := make([]string, 0, len(permissionNames))
	for _, each := range permissionNames {
		if p.Have(each.permission) {
			names = append(names, each.name)
		}
	}
	return names
}

// ParsePermissions reads names in any letter case; a name may be repeated. The refusal of an unknown name lists the
// valid names.
func ParsePermissions(names []string) (Permissions, error) {
	set := NoPermissions
	for _, name := range names {
		permission := permissionNamed(name)
		if permission == NoPermissions {
			return NoPermissions, InvalidField("permissions", "unknown_permission",
				"permissions must be among "+strings.Join(AllPermissions.Names(), ", "))
		}
		set |= permission
	}
	return set, nil
}

// permissionNamed returns the permission with the given name, or NoPermissions for an unknown name.
func permissionNamed(name string) Permissions {
	for _, each := range permissionNames {
		if strings.EqualFold(name, each.name) {
			return each.permission
		}
	}
	return NoPermissions
}
