package domain

import "strings"

// Group defines a user's rights in the accounts API and over droplets. Each group includes the rights of the groups
// before it. The zero Group means no group.
type Group struct{ name string }

// The groups.
var (
	// GroupViewer may list droplets.
	GroupViewer = Group{"viewer"}
	// GroupManager may also add, delete, start, stop and restart droplets.
	GroupManager = Group{"manager"}
	// GroupOwner contains only the owner of the system. The owner may also manage accounts.
	GroupOwner = Group{"owner"}
)

// noGroup is the name of the zero Group in requests.
const noGroup = "none"

// groups lists the groups in ascending order.
func groups() []Group { return []Group{GroupViewer, GroupManager, GroupOwner} }

// String returns the group's name in requests and responses. The name of the zero Group is empty.
func (g Group) String() string { return g.name }

// Includes reports whether the members of g have all rights of the members of the argument other.
func (g Group) Includes(other Group) bool { return g.rank() >= other.rank() }

// rank returns the position of the group in groups, counted from 1. It returns 0 for the zero Group.
func (g Group) rank() int {
	for i, each := range groups() {
		if each == g {
			return i + 1
		}
	}
	return 0
}

// ParseGroup parses a group. It ignores letter case.
func ParseGroup(text string) (Group, error) {
	for _, group := range groups() {
		if strings.EqualFold(text, group.name) {
			return group, nil
		}
	}
	return Group{}, ErrUnknownGroup
}

// ParseGroupChange does the same as [ParseGroup], but also accepts "none", which removes the group.
func ParseGroupChange(text string) (Group, error) {
	if strings.EqualFold(text, noGroup) {
		return Group{}, nil
	}
	return ParseGroup(text)
}

// AuthorizeGroup decides whether the caller has the rights of a group.
func (c Caller) AuthorizeGroup(least Group) error {
	if c.Group.Includes(least) {
		return nil
	}
	return ErrGroupTooLow
}
