package domain

import (
	"strings"
	"time"
)

// Property is the attribute that a Change describes. The set of properties is closed. The audit log stores the name of
// the property.
type Property struct{ name string }

// The properties.
var (
	// PropertyRole is the role of a user, or of a member in a box.
	PropertyRole = Property{"role"}
	// PropertyGroup is the group of a user in the accounts API.
	PropertyGroup = Property{"group"}
	// PropertyFormerOwnerGroup is the group of the user who was the owner before a handover.
	PropertyFormerOwnerGroup = Property{"formerOwnerGroup"}
	// PropertyState is the state of a user or of a member: active or inactive.
	PropertyState = Property{"state"}
	// PropertyPermissions lists the names of a member's permissions. It is "none" if there are no permissions.
	PropertyPermissions = Property{"permissions"}
	// PropertyOwner is the name of the owner of a box or of the system.
	PropertyOwner = Property{"owner"}
	// PropertyOfferedTo is the name of the member to whom a box is offered.
	PropertyOfferedTo = Property{"offeredTo"}
	// PropertyExpiry is a time in the format of RFC 3339, or "never".
	PropertyExpiry = Property{"expiry"}
	// PropertyPassword is the state of a user's password: "none", "set" or "replaced".
	PropertyPassword = Property{"password"}
	// PropertySessions is "revoked" if all sessions of a user were revoked.
	PropertySessions = Property{"sessions"}
	// PropertyAPIKeys is "issued" if a new user received a first API key, and "revoked" if all API keys of a user were
	// revoked.
	PropertyAPIKeys = Property{"apiKeys"}
	// PropertyTOTP is the state of a user's TOTP secrets; see TOTPState.ChangeFrom.
	PropertyTOTP = Property{"totp"}
	// PropertyRecoveryCode changes from "unused" to "used" when a user uses a recovery code. When recovery codes of an
	// older release are converted or deleted, it changes from "plain" to "keyed" or "deleted".
	PropertyRecoveryCode = Property{"recoveryCode"}
)

// Properties lists all properties.
func Properties() []Property {
	return []Property{PropertyRole, PropertyGroup, PropertyFormerOwnerGroup, PropertyState, PropertyPermissions,
		PropertyOwner, PropertyOfferedTo, PropertyExpiry, PropertyPassword, PropertySessions, PropertyAPIKeys,
		PropertyTOTP, PropertyRecoveryCode}
}

// String returns the property's name.
func (p Property) String() string { return p.name }

// RestoreProperty rebuilds a property from storage. It accepts every name, because another release may have stored it.
func RestoreProperty(name string) Property { return Property{name} }

// Change is a property that an action has changed. It never contains a value, key, password, token or code: From and To
// are names, times or fixed words. An empty From means that the property is new. An empty To means that the property no
// longer exists.
type Change struct {
	Property Property
	From, To string
}

// Changed returns the event with the given changes appended to its own. It omits a change whose From and To are equal.
func (e Event) Changed(changes ...Change) Event {
	all := e.Changes[:len(e.Changes):len(e.Changes)] // a copy of the event must not share the additions
	for _, change := range changes {
		if change.From != change.To {
			all = append(all, change)
		}
	}
	e.Changes = all
	return e
}

// ExpiryChange returns the change of an object's expiry. The argument "from" is nil if the object did not exist before
// the change. The argument "to" is nil if the object does not exist afterwards. The zero time means that the object
// never expires.
func ExpiryChange(from, to *time.Time) Change {
	return Change{Property: PropertyExpiry, From: expiryText(from), To: expiryText(to)}
}

// expiryText formats the time "at" as RFC 3339. It returns "never" for the zero time, and "" if "at" is nil.
func expiryText(at *time.Time) string {
	switch {
	case at == nil:
		return ""
	case at.IsZero():
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

// PasswordChange returns the change that a new password causes. The argument is true if the user had a password before.
func PasswordChange(had bool) Change {
	if had {
		return Change{Property: PropertyPassword, From: "set", To: "replaced"}
	}
	return Change{Property: PropertyPassword, From: "none", To: "set"}
}

// APIKeysRevoked returns the change for the revocation of all API keys of a user.
func APIKeysRevoked() Change { return Change{Property: PropertyAPIKeys, To: "revoked"} }

// APIKeyIssued returns the change for the first API key of a new user.
func APIKeyIssued() Change { return Change{Property: PropertyAPIKeys, To: "issued"} }

// RecoveryCodeUsed returns the change for the use of a recovery code.
func RecoveryCodeUsed() Change {
	return Change{Property: PropertyRecoveryCode, From: "unused", To: "used"}
}

// ChangesFrom returns the changes from an earlier state of the user to the state u. The zero User stands for a user who
// does not exist.
func (u User) ChangesFrom(before User) []Change {
	changes := []Change{
		{Property: PropertyRole, From: before.Role.String(), To: u.Role.String()},
		{Property: PropertyGroup, From: before.groupText(), To: u.groupText()},
		{Property: PropertyState, From: stateText(!before.ID.IsZero(), before.Active),
			To: stateText(!u.ID.IsZero(), u.Active)},
	}
	if !before.ID.IsZero() && u.SessionEpoch > before.SessionEpoch {
		changes = append(changes, Change{Property: PropertySessions, To: "revoked"})
	}
	return changes
}

// groupText returns the empty text for a user who does not exist, and "none" for a user without a group.
func (u User) groupText() string {
	if u.Group == (Group{}) && !u.ID.IsZero() {
		return "none"
	}
	return u.Group.String()
}

// ChangesFrom compares an earlier state of the member with m, and returns the changes. The zero BoxUser stands for a
// user who is not a member.
func (m BoxUser) ChangesFrom(before BoxUser) []Change {
	return []Change{
		{Property: PropertyRole, From: before.Role.String(), To: m.Role.String()},
		{Property: PropertyState, From: stateText(!before.User.IsZero(), before.Active),
			To: stateText(!m.User.IsZero(), m.Active)},
		{Property: PropertyPermissions, From: before.permissionsText(), To: m.permissionsText()},
	}
}

// permissionsText returns the empty text for a user who is not a member, and "none" for a member without permissions.
func (m BoxUser) permissionsText() string {
	switch {
	case m.User.IsZero():
		return ""
	case m.Permissions == NoPermissions:
		return "none"
	}
	return strings.Join(m.Permissions.Names(), ", ")
}

// stateText returns "active", "inactive", or "" for an object that does not exist.
func stateText(exists, active bool) string {
	switch {
	case !exists:
		return ""
	case active:
		return "active"
	}
	return "inactive"
}

// ChangesFrom compares an earlier offer with o, and returns the changes. The zero BoxOffer means that there is no
// offer.
func (o BoxOffer) ChangesFrom(before BoxOffer) []Change {
	return []Change{
		{Property: PropertyOfferedTo, From: string(before.ToName), To: string(o.ToName)},
		ExpiryChange(before.expiry(), o.expiry()),
	}
}

// expiry returns nil if there is no offer.
func (o BoxOffer) expiry() *time.Time {
	if o.To.IsZero() {
		return nil
	}
	return &o.ExpiresAt
}

// ChangesFrom compares an earlier invitation with i, and returns the changes. The zero Invitation means that there is
// no invitation.
func (i Invitation) ChangesFrom(before Invitation) []Change {
	return []Change{
		{Property: PropertyRole, From: before.Role.String(), To: i.Role.String()},
		ExpiryChange(before.expiry(), i.expiry()),
	}
}

// expiry returns nil if there is no invitation.
func (i Invitation) expiry() *time.Time {
	if i.ID.IsZero() {
		return nil
	}
	return &i.ExpiresAt
}
