package domain

import "strings"

// Group is what a user may do with droplets and with the accounts of those who use them. Each includes the ones below
// it. The zero Group is none.
type Group struct{ name string }

// The groups.
var (
	// GroupViewer sees droplets.
	GroupViewer = Group{"viewer"}
	// GroupManager adds, deletes, starts, stops and restarts them.
	GroupManager = Group{"manager"}
	// GroupOwner is the owner of the system, of whom there is one.
	GroupOwner = Group{"owner"}
)

// noGroup is how "none" is written where a group is asked for.
const noGroup = "none"

func groups() []Group { return []Group{GroupViewer, GroupManager, GroupOwner} }

// String returns the group's name as clients read it; empty for none.
func (g Group) String() string { return g.name }

// Includes reports whether members of this group may do what members of the other may.
func (g Group) Includes(other Group) bool { return g.rank() >= other.rank() }

func (g Group) rank() int {
	for i, each := range groups() {
		if each == g {
			return i + 1
		}
	}
	return 0
}

// ParseGroup reads a group in any letter case.
func ParseGroup(text string) (Group, error) {
	for _, group := range groups() {
		if strings.EqualFold(text, group.name) {
			return group, nil
		}
	}
	return Group{}, ErrUnknownGroup
}

// ParseGroupChange is ParseGroup where "none" takes the group away.
func ParseGroupChange(text string) (Group, error) {
	if strings.EqualFold(text, noGroup) {
		return Group{}, nil
	}
	return ParseGroup(text)
}

// AuthorizeGroup decides whether the caller may do what members of that group may.
func (c Caller) AuthorizeGroup(least Group) error {
	if c.Group.Includes(least) {
		return nil
	}
	return ErrGroupTooLow
}
