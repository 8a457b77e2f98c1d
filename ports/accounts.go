package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// System stores the single row that describes the installation.
type System interface {
	// Lock serialises all transactions that change admins or the owner. It returns the owner, or zero if the system has
	// no owner.
	Lock(ctx context.Context) (owner domain.UserID, err error)
	// Owner returns the owner, or zero if the system has no owner.
	Owner(ctx context.Context) (domain.UserID, error)
	// SetOwner makes a user the owner.
	SetOwner(ctx context.Context, owner domain.UserID) error
}

// Users stores users and their sealed passwords.
type Users interface {
	// Add inserts a user. An empty password means that the user has no password. Errors: Conflict with code user_exists
	// when the name is taken, and ErrStaleServerKey.
	Add(ctx context.Context, user domain.User, password SealedPassword) error
	// Lock locks the user's account and credentials until the transaction ends, and returns the user. Errors: NotFound.
	Lock(ctx context.Context, name domain.UserName) (domain.User, error)
	// LockToDelete is like Lock, but takes a stronger lock. Until the transaction ends, no other transaction can insert
	// a row that refers to the user.
	LockToDelete(ctx context.Context, name domain.UserName) (domain.User, error)
	// Get returns a user. Errors: NotFound.
	Get(ctx context.Context, name domain.UserName) (domain.User, error)
	// ByID returns a user. Errors: NotFound.
	ByID(ctx context.Context, id domain.UserID) (domain.User, error)
	// ForSignIn returns a user with the sealed password and the confirmed TOTP secret. Errors: NotFound.
	ForSignIn(ctx context.Context, name domain.UserName) (SignIn, error)
	// List returns all users, in the order in which they were created.
	List(ctx context.Context) ([]domain.User, error)
	// Names lists all names, sorted.
	Names(ctx context.Context) ([]domain.UserName, error)
	// Save stores the role, the group, the state, the session epoch and the time of update of a user. Use
	// System.SetOwner to change the owner.
	Save(ctx context.Context, user domain.User) error
	// SetPassword replaces the stored password with a new one, but only if the stored password is still the one in the
	// argument "was". Errors: Conflict with code password_changed if another password is stored; ErrStaleServerKey.
	SetPassword(ctx context.Context, was, password SealedPassword) error
	// Delete removes the user and all rows that belong to the user. Entry versions that the user wrote remain, without
	// an author.
	Delete(ctx context.Context, id domain.UserID) error
	// Permissions returns the union of the user's permissions over all boxes of which the user is an active member.
	Permissions(ctx context.Context, id domain.UserID) (domain.Permissions, error)
}

// APIKeys stores the descriptions of API keys, but never the API keys themselves.
type APIKeys interface {
	// Add inserts a key. Errors: ErrStaleServerKey.
	Add(ctx context.Context, key domain.APIKey) error
	// Get returns a key. Errors: NotFound.
	Get(ctx context.Context, id domain.CredentialID) (domain.APIKey, error)
	// List returns a user's keys, oldest first.
	List(ctx context.Context, user domain.UserID) ([]domain.APIKey, error)
	// Count returns the number of keys of a user.
	Count(ctx context.Context, user domain.UserID) (int, error)
	// Delete removes a key.
	Delete(ctx context.Context, id domain.CredentialID) error
	// DeleteAll removes all keys of a user.
	DeleteAll(ctx context.Context, user domain.UserID) error
}

// Sessions stores sign-ins with a password.
type Sessions interface {
	// Add inserts a session. Errors: ErrStaleServerKey.
	Add(ctx context.Context, session domain.Session) error
	// CreatedAt returns the time of a sign-in with a password. A session begins when the user sends the password, and
	// cannot be extended. The user has therefore not sent the password for this session since then. Errors: NotFound.
	CreatedAt(ctx context.Context, id domain.CredentialID) (time.Time, error)
}

// Invitations stores open invitations, never their codes. There is at most one invitation for a name.
type Invitations interface {
	// Add inserts an invitation. The caller holds the lock on System and has deleted any earlier invitation for the
	// name. Errors: ErrStaleServerKey.
	Add(ctx context.Context, invitation domain.Invitation) error
	// Get returns an invitation, even if it has expired. Errors: NotFound with code invitation_not_found.
	Get(ctx context.Context, id domain.InvitationID) (domain.Invitation, error)
	// List returns the invitations that expire after the given time, sorted by name.
	List(ctx context.Context, now time.Time) ([]domain.Invitation, error)
	// Count returns the number of invitations, including expired ones that the Janitor has not deleted.
	Count(ctx context.Context) (int, error)
	// Delete removes an invitation and reports whether it existed. Of several concurrent calls, only one reports true.
	Delete(ctx context.Context, id domain.InvitationID) (bool, error)
	// DeleteByName removes the invitation for a name and returns it. It returns the zero Invitation if there is none.
	DeleteByName(ctx context.Context, name domain.UserName) (domain.Invitation, error)
}

// Events stores the audit log.
type Events interface {
	// Append adds an event to this transaction, so that a change and its event are committed together.
	Append(ctx context.Context, event domain.Event) error
	// List returns a page of the matching events, newest first. List reads a limited number of events, so it is fast
	// with every filter. A page may therefore contain fewer events than the limit of the filter, or no events. Later
	// pages can still contain matching events.
	List(ctx context.Context, filter EventFilter) (EventPage, error)
}

// EventPage is a page of the audit log.
type EventPage struct {
	Events []domain.Event
	// To request the next page, set the field Before of the filter to the value of Next. Next is zero on the last page.
	Next domain.EventID
}

// EventFilter selects events; a zero field matches every event.
type EventFilter struct {
	Box    domain.BoxID
	Before domain.EventID
	Action domain.Action
	Actor  domain.UserName
	// Limit is the maximum number of events returned; at least 1.
	Limit int
}

// Janitor deletes expired rows in small batches. Each method that deletes rows returns their number. If this number is
// lower than the limit argument, no expired rows are left.
type Janitor interface {
	// DeleteEndedSessions deletes sessions that expired before the given time.
	DeleteEndedSessions(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteEndedFamilies deletes token families that expired or were revoked before the given time.
	DeleteEndedFamilies(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteOldAttempts deletes counters of failed attempts that no longer have an effect at the given time.
	DeleteOldAttempts(ctx context.Context, now time.Time, limit int) (int, error)
	// DeleteKnownAddresses deletes known addresses that expired before the given time.
	DeleteKnownAddresses(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteEndedAPIKeys deletes API keys that expired before the given time.
	DeleteEndedAPIKeys(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteEndedInvitations deletes invitations that expired before the given time.
	DeleteEndedInvitations(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteOldEvents deletes audit events older than the given time, oldest first. It keeps events that the audit
	// stream has not delivered yet; see EventQueue.
	DeleteOldEvents(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteAbandonedQueue ends the audit stream if no server has held the lease of the stream since the given time. It
	// also deletes events from the queue if no audit stream exists.
	DeleteAbandonedQueue(ctx context.Context, before time.Time, limit int) (int, error)
	// EventLogSize returns the storage of the audit log with its indexes, in bytes. The size may include the storage of
	// deleted events until the database reuses that storage.
	EventLogSize(ctx context.Context) (int64, error)
	// DeleteRemovedEntries deletes all versions of an entry that was deleted before the given time, and releases the
	// storage that the box reserved for the entry. The version numbers of a key must not restart if the key is written
	// again. Therefore the rows of a limited number of deleted entries stay in each box. If a box has more of them,
	// DeleteRemovedEntries removes the surplus rows, and the box keeps only the highest version number of all removed
	// rows.
	DeleteRemovedEntries(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteOldKeyrings deletes old keyrings. A keyring is old if it was stored before the given time and its box has
	// at least domain.KeptKeyrings newer keyrings.
	DeleteOldKeyrings(ctx context.Context, before time.Time, limit int) (int, error)
}
