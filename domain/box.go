package domain

import "time"

// BoxSalt is the salt under which passphrases for a box are derived. It is no secret.
type BoxSalt [16]byte

// Box is a workspace with an owner, users and entries.
type Box struct {
	ID    BoxID
	Name  BoxName
	Owner UserID
	Salt  BoxSalt
	// CreatedAt and UpdatedAt are of the box itself; entries have their own.
	CreatedAt time.Time
	UpdatedAt time.Time
}

// CheckBoxQuota decides whether a user who owns that many boxes may own one more; limit 0 is none, and an admin has
// none either.
func CheckBoxQuota(role Role, owned, limit int) error {
	if role != RoleAdmin && limit > 0 && owned >= limit {
		return LimitReached("boxes per user")
	}
	return nil
}

// Access is a caller before a box: what is known of both when a request is decided. Box is zero when there is no such
// box, and Member is nil when the caller is not among its users.
type Access struct {
	Caller Caller
	Box    Box
	Member *BoxUser
}

// part reports whether the caller is an active user of the box.
func (a Access) part() bool { return a.Member != nil && a.Member.Active }

// See decides whether the caller may know of the box: its active users and admins may. To others it does not exist.
func (a Access) See() error {
	if a.Box.ID.IsZero() || !a.part() && !a.Caller.IsAdmin() {
		return ErrBoxNotFound
	}
	return nil
}

// Manage decides whether the caller may administer the box: its boxadmins and admins may.
func (a Access) Manage() error {
	if err := a.See(); err != nil {
		return err
	}
	if a.Caller.IsAdmin() || a.part() && a.Member.Role == BoxRoleAdmin {
		return nil
	}
	return ErrBoxAdminOnly
}

// Inspect decides whether the caller may see what that user is in the box: whoever may manage it, and the user itself.
func (a Access) Inspect(user UserName) error {
	if err := a.See(); err != nil {
		return err
	}
	if a.part() && a.Caller.Name == user {
		return nil
	}
	return a.Manage()
}

// Transfer decides whether the caller may give the box to another owner: its owner and admins may.
func (a Access) Transfer() error {
	if err := a.See(); err != nil {
		return err
	}
	if a.Caller.IsAdmin() || a.part() && a.Box.Owner == a.Caller.UserID {
		return nil
	}
	return ErrBoxOwnerOnly
}

// Use decides whether the caller has permissions over the entries of the box. No role stands in for a permission:
// neither a boxadmin nor an admin reads what it was not granted, though both may grant it, on record.
func (a Access) Use(wanted Permissions) error {
	if err := a.See(); err != nil {
		return err
	}
	if a.part() && a.Member.Permissions.Have(wanted) {
		return nil
	}
	return ErrPermissionMissing
}

// SeesKeys reports whether the caller may list the keys of the box's entries.
func (a Access) SeesKeys() bool { return a.Use(ReadEntryKeys) == nil }
