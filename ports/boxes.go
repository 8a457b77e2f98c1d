package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Boxes stores boxes.
type Boxes interface {
	// Add inserts a box. Errors: Conflict with code box_exists when the name is taken.
	Add(ctx context.Context, box domain.Box) error
	// Lock serialises the transactions that change the box's owner or members. Errors: NotFound when the box was
	// deleted.
	Lock(ctx context.Context, id domain.BoxID) error
	// Save stores the owner and the time of update of a box.
	Save(ctx context.Context, box domain.Box) error
	// Offer returns the offer of the box's ownership, even if it has expired. It returns the zero offer if there is
	// none.
	Offer(ctx context.Context, id domain.BoxID) (domain.BoxOffer, error)
	// SaveOffer replaces the offer; the zero offer deletes it.
	SaveOffer(ctx context.Context, id domain.BoxID, offer domain.BoxOffer) error
	// TouchOf sets the update time of every box that a user is a member of.
	TouchOf(ctx context.Context, user domain.UserID, now time.Time) error
	// Delete removes the box with its members, entries and versions.
	Delete(ctx context.Context, id domain.BoxID) error
	// NamesOf lists the boxes of which a user is an active member, sorted.
	NamesOf(ctx context.Context, user domain.UserID) ([]domain.BoxName, error)
	// OwnedBy lists the boxes that a user owns, sorted.
	OwnedBy(ctx context.Context, user domain.UserID) ([]domain.BoxName, error)
	// Describe returns the name of the box's owner, and the time of the latest change of the box or one of its entries.
	Describe(ctx context.Context, id domain.BoxID) (owner domain.UserName, updatedAt time.Time, err error)
}

// BoxUsers stores the members of boxes with their roles and permissions.
type BoxUsers interface {
	// Add inserts a member. Errors: Conflict with code box_user_exists when the user is a member already.
	Add(ctx context.Context, user domain.BoxUser) error
	// Get returns one member of a box. Errors: NotFound with code box_user_not_found.
	Get(ctx context.Context, box domain.BoxID, name domain.UserName) (domain.BoxUser, error)
	// List returns the members of a box, sorted by name.
	List(ctx context.Context, box domain.BoxID) ([]domain.BoxUser, error)
	// Count returns the number of members of a box.
	Count(ctx context.Context, box domain.BoxID) (int, error)
	// Save stores the role, the state and the permissions of a member.
	Save(ctx context.Context, user domain.BoxUser) error
	// Remove deletes a member.
	Remove(ctx context.Context, box domain.BoxID, user domain.UserID) error
}

// Entries stores entries and their versions.
type Entries interface {
	// Keys returns the keys of the box's entries in ascending order. It omits entries without a value, and keys that do
	// not begin with prefix.
	Keys(ctx context.Context, box domain.BoxID, prefix string) ([]domain.EntryKey, error)
	// CountIn increments the box's count of entries that have a value. The caller is about to give the key a value. If
	// the entry has no value, call CountIn before Lock, because of the order of locks. A limit of 0 means no limit. A
	// deleted key counts against the limit while its versions are stored. Errors:
	//
	//   - NotFound when the box was deleted.
	//   - Conflict with code limit_reached when the box already has as many other keys as the limit permits. After this
	//     error, the caller must roll back the transaction.
	CountIn(ctx context.Context, box domain.BoxID, key domain.EntryKey, limit int, now time.Time) error
	// CountOut decrements the box's count of entries. Like CountIn, it must run before Lock. Errors: NotFound when the
	// box was deleted, or when the count is already 0.
	CountOut(ctx context.Context, box domain.BoxID, now time.Time) error
	// Lock locks the entry until the transaction ends. It returns the entry and the caller's access, both read after
	// the lock was taken. If the entry does not exist, Lock inserts an entry without a value. The version number of the
	// new entry is normally 0. If the Janitor has removed rows of keys from the box, the version number of the new
	// entry is the highest one of the removed rows. Errors: NotFound with code box_not_found when the box was deleted.
	Lock(ctx context.Context, credential domain.Credential, box domain.Box, key domain.EntryKey,
		now time.Time) (LockedEntry, error)
	// Stored returns the number of stored versions of an entry and the size of the largest sealed value.
	Stored(ctx context.Context, box domain.BoxID, key domain.EntryKey) (versions, largest int, err error)
	// AddVersion stores a version, makes it the entry's newest, deletes old versions, and appends the event. The keep
	// argument is the number of versions that remain; 0 keeps all versions. If the version has a Reservation, the
	// caller must hold the lock on the box. Errors: Unauthenticated when the author was deleted; ErrStaleServerKey;
	// Conflict with code limit_reached when the reservation exceeds its limit.
	AddVersion(ctx context.Context, entry domain.Entry, version NewVersion, keep int, event domain.Event) error
	// MarkDeleted deletes the entry's value. Its versions can be restored until the janitor deletes them.
	MarkDeleted(ctx context.Context, entry domain.Entry) error
	// DeleteVersion deletes the entry's value as MarkDeleted does, but only if the newest version is still
	// entry.Version. It reports whether it deleted the value. CountOut must run first.
	DeleteVersion(ctx context.Context, entry domain.Entry) (deleted bool, err error)
	// LockVersion locks the entry until the transaction ends, but only if the entry has a value and its newest version
	// is entry.Version. It reports whether it locked the entry.
	LockVersion(ctx context.Context, entry domain.Entry) (unchanged bool, err error)
	// Versions lists the stored versions of an entry, newest first. Errors: NotFound with code entry_not_found when the
	// entry has no versions.
	Versions(ctx context.Context, box domain.BoxID, key domain.EntryKey) ([]domain.EntryVersion, error)
	// Version returns one stored version. Errors: NotFound with code version_not_found.
	Version(ctx context.Context, box domain.BoxID, key domain.EntryKey, version uint64) (StoredVersion, error)
}

// LockedEntry is an entry whose row the transaction has locked.
type LockedEntry struct {
	Entry domain.Entry
	// Room is the storage that is reserved for the versions of the entry.
	Room domain.Room
	// Access is the caller's access, read after the entry was locked. The caller may have lost permissions while the
	// transaction waited for the lock.
	Access domain.Access
}

// NewVersion is a version to be stored.
type NewVersion struct {
	Place  Place
	Sealed SealedValue
	Author domain.UserID
	// BoxKey is the box key that the version is written under. It is zero in a box without a keyring.
	BoxKey domain.KeyID
	// Reservation replaces the entry's reservation; nil leaves it unchanged. EntryWriter ignores it.
	Reservation *Reservation
}

// Reservation is the storage that a box reserves for an entry from now on.
type Reservation struct {
	Room domain.Room
	// Added is the size of the new reservation minus the size of the entry's previous reservation, in bytes.
	Added int64
	// Limit is the maximum sum of all reservations of the box, in bytes.
	Limit int64
}

// StoredVersion is a stored version of an entry.
type StoredVersion struct {
	Place     Place
	Sealed    SealedValue
	CreatedAt time.Time
	// Author is set only by Entries.Version. It is zero if the user was deleted.
	Author domain.UserID
	// BoxKey is the box key that the version was written under. It is zero if the box had no keyring at that time.
	BoxKey domain.KeyID
}

// Envelope returns the envelope and the place of the version. EntrySealer and EntryCipher need only these two parts of
// a version to derive a key and to check whether the version was sealed under this key.
func (v StoredVersion) Envelope() Sealed {
	return Sealed{Place: v.Place, Envelope: v.Sealed.Envelope}
}
