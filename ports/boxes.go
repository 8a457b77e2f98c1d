package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Boxes stores boxes.
type Boxes interface {
	// Add inserts a box. Conflict with code box_exists when the name is taken.
	Add(ctx context.Context, box domain.Box) error
	// Lock makes this transaction the only one that changes the box's owner and users. NotFound when it is gone.
	Lock(ctx context.Context, id domain.BoxID) error
	// Save stores the owner and the time of update.
	Save(ctx context.Context, box domain.Box) error
	// Delete removes the box with its users, entries and versions.
	Delete(ctx context.Context, id domain.BoxID) error
	// NamesOf lists the boxes that a user is active in, sorted.
	NamesOf(ctx context.Context, user domain.UserID) ([]domain.BoxName, error)
	// OwnedBy lists the boxes that a user owns, sorted.
	OwnedBy(ctx context.Context, user domain.UserID) ([]domain.BoxName, error)
	// Describe returns what is shown of a box besides its users and keys: its owner's name, and when it or an entry of
	// it last changed.
	Describe(ctx context.Context, id domain.BoxID) (owner domain.UserName, updatedAt time.Time, err error)
}

// BoxUsers stores who is what in a box.
type BoxUsers interface {
	// Add inserts a user into a box. Conflict with code box_user_exists when it is in already.
	Add(ctx context.Context, user domain.BoxUser) error
	// Get returns one user of a box. NotFound with code box_user_not_found.
	Get(ctx context.Context, box domain.BoxID, name domain.UserName) (domain.BoxUser, error)
	// List returns the users of a box, sorted by name.
	List(ctx context.Context, box domain.BoxID) ([]domain.BoxUser, error)
	// Count returns how many users a box has.
	Count(ctx context.Context, box domain.BoxID) (int, error)
	// Save stores role, state and permissions.
	Save(ctx context.Context, user domain.BoxUser) error
	// Remove takes a user out of a box.
	Remove(ctx context.Context, box domain.BoxID, user domain.UserID) error
}

// Entries stores entries and their versions.
type Entries interface {
	// Keys lists the keys of a box that have a value and begin with prefix, sorted.
	Keys(ctx context.Context, box domain.BoxID, prefix string) ([]domain.EntryKey, error)
	// CountIn takes one place among the entries of the box, which must be done before Lock of an entry that has no
	// value yet. Conflict with code limit_reached when limit (0: none) is reached; NotFound when the box is gone.
	CountIn(ctx context.Context, box domain.BoxID, limit int, now time.Time) error
	// CountOut gives a place back, likewise before Lock.
	CountOut(ctx context.Context, box domain.BoxID, now time.Time) error
	// Lock makes this transaction the only one that writes the entry, which it inserts without a version where there
	// is no row, and returns what is so under the lock. NotFound with code box_not_found when the box is gone.
	Lock(ctx context.Context, credential domain.Credential, box domain.Box, key domain.EntryKey,
		now time.Time) (LockedEntry, error)
	// AddVersion stores a version, moves the entry to it and drops versions older than the last keep (0: none).
	// It also appends the event. Unauthenticated when the author is gone; ErrStaleServerKey.
	AddVersion(ctx context.Context, entry domain.Entry, version NewVersion, keep int, event domain.Event) error
	// MarkDeleted records the deletion of the entry's value, whose versions stay restorable for a time.
	MarkDeleted(ctx context.Context, entry domain.Entry) error
	// DeleteVersion is MarkDeleted of an entry whose value is that version; it reports false when it is another, or none.
	// Like Lock it comes after CountOut.
	DeleteVersion(ctx context.Context, entry domain.Entry) (deleted bool, err error)
	// Versions lists what is kept of an entry, newest first. NotFound with code entry_not_found when nothing is.
	Versions(ctx context.Context, box domain.BoxID, key domain.EntryKey) ([]domain.EntryVersion, error)
	// Version returns one kept version. NotFound with code version_not_found.
	Version(ctx context.Context, box domain.BoxID, key domain.EntryKey, version uint64) (StoredVersion, error)
}

// LockedEntry is an entry that nobody else writes.
type LockedEntry struct {
	Entry domain.Entry
	// Access is what the caller is to the box now, which may be less than before the lock was waited for.
	Access domain.Access
}

// NewVersion is a version to be stored.
type NewVersion struct {
	Place  Place
	Sealed SealedValue
	Author domain.UserID
}

// StoredVersion is a version as it was stored.
type StoredVersion struct {
	Place     Place
	Sealed    SealedValue
	CreatedAt time.Time
}

// Envelope is what keys are derived for, and compared with.
func (v StoredVersion) Envelope() Sealed {
	return Sealed{Place: v.Place, Envelope: v.Sealed.Envelope}
}
