package domain

import "strings"

// Permissions is a set of what a user may do with the entries of a box.
type Permissions uint8

// The permissions, in the order in which they are always listed. They are stored as these bits: never reorder them.
const (
	ReadEntryKeys Permissions = 1
	ReadEntry     Permissions = 2
	CreateEntry   Permissions = 4
	DeleteEntry   Permissions = 8

	NoPermissions  Permissions = 0
	AllPermissions             = ReadEntryKeys | ReadEntry | CreateEntry | DeleteEntry
)

var permissionNames = [...]struct {
	permission Permissions
	name       string
}{
	{ReadEntryKeys, "readEntryKeys"},
	{ReadEntry, "readEntry"},
	{CreateEntry, "createEntry"},
	{DeleteEntry, "deleteEntry"},
}

// Have reports whether the set holds all of wanted.
func (p Permissions) Have(wanted Permissions) bool { return p&wanted == wanted }

// Names lists the set in camel case, in the fixed order; an empty set is an empty, non-nil list.
func (p Permissions) Names() []string {
	names := make([]string, 0, len(permissionNames))
	for _, each := range permissionNames {
		if p.Have(each.permission) {
			names = append(names, each.name)
		}
	}
	return names
}

// ParsePermissions reads names in any letter case; a name may be repeated. An unknown one is refused, and the known ones are named.
func ParsePermissions(names []string) (Permissions, error) {
	set := NoPermissions
	for _, name := range names {
		permission := permissionNamed(name)
		if permission == NoPermissions {
			return NoPermissions, InvalidField("permissions", "unknown_permission",
				"permissions must be among readEntryKeys, readEntry, createEntry, deleteEntry")
		}
		set |= permission
	}
	return set, nil
}

func permissionNamed(name string) Permissions {
	for _, each := range permissionNames {
		if strings.EqualFold(name, each.name) {
			return each.permission
		}
	}
	return NoPermissions
}
