package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// System is the one row about the installation.
type System interface {
	// Lock makes this transaction the only one that changes admins or the owner, and returns the owner; zero when
	// there is none yet.
	Lock(ctx context.Context) (owner domain.UserID, err error)
	// Owner returns the owner; zero when there is none yet.
	Owner(ctx context.Context) (domain.UserID, error)
	// SetOwner makes a user the owner.
	SetOwner(ctx context.Context, owner domain.UserID) error
}

// Users stores users and their sealed passwords.
type Users interface {
	// Add inserts a user; with an empty password it has none. Conflict with code user_exists when the name is taken;
	// ErrStaleServerKey.
	Add(ctx context.Context, user domain.User, password SealedPassword) error
	// Lock makes this transaction the only one that changes the user's account and credentials, and returns it.
	// NotFound when there is no such user.
	Lock(ctx context.Context, name domain.UserName) (domain.User, error)
	// LockToDelete is Lock for whoever may delete the user: nobody refers to it until this transaction ends.
	LockToDelete(ctx context.Context, name domain.UserName) (domain.User, error)
	// Get returns a user. NotFound when there is none.
	Get(ctx context.Context, name domain.UserName) (domain.User, error)
	// ByID is Get by identifier.
	ByID(ctx context.Context, id domain.UserID) (domain.User, error)
	// ForSignIn is Get with the sealed password and the code in force.
	ForSignIn(ctx context.Context, name domain.UserName) (SignIn, error)
	// List returns all users, oldest first.
	List(ctx context.Context) ([]domain.User, error)
	// Names lists all names, sorted.
	Names(ctx context.Context) ([]domain.UserName, error)
	// Save stores role, group, state, session epoch and time of update. Who the owner is, System stores.
	Save(ctx context.Context, user domain.User) error
	// SetPassword stores another password if the stored one is still was. Conflict with code password_changed when
	// it is not; ErrStaleServerKey.
	SetPassword(ctx context.Context, was, password SealedPassword) error
	// Delete removes the user with all that belongs to it and takes its name off the entries it wrote.
	Delete(ctx context.Context, id domain.UserID) error
	// Permissions returns the union of the user's permissions over the boxes it is active in.
	Permissions(ctx context.Context, id domain.UserID) (domain.Permissions, error)
}

// APIKeys stores what is known of API keys, never the keys.
type APIKeys interface {
	// Add inserts a key. ErrStaleServerKey.
	Add(ctx context.Context, key domain.APIKey) error
	// Get returns a key. NotFound when there is none.
	Get(ctx context.Context, id domain.CredentialID) (domain.APIKey, error)
	// List returns a user's keys, oldest first.
	List(ctx context.Context, user domain.UserID) ([]domain.APIKey, error)
	// Count returns how many keys a user has.
	Count(ctx context.Context, user domain.UserID) (int, error)
	// Delete removes a key.
	Delete(ctx context.Context, id domain.CredentialID) error
	// DeleteAll removes all keys of a user.
	DeleteAll(ctx context.Context, user domain.UserID) error
}

// Sessions stores sign-ins.
type Sessions interface {
	// Add inserts a session. ErrStaleServerKey.
	Add(ctx context.Context, session domain.Session) error
}

// Events is the record.
type Events interface {
	// Append adds an event to this transaction.
	Append(ctx context.Context, event domain.Event) error
	// List returns events that match, newest first.
	List(ctx context.Context, filter EventFilter) ([]domain.Event, error)
}

// EventFilter narrows a list of events; zero fields narrow nothing.
type EventFilter struct {
	Box    domain.BoxID
	Before domain.EventID
	Action domain.Action
	Actor  domain.UserName
	// Limit is the most that come back; at least 1.
	Limit int
}

// Janitor removes what has had its time, in small batches. Each method returns how many rows went, which is less than
// limit when nothing is left.
type Janitor interface {
	DeleteEndedSessions(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteEndedFamilies removes the tokens of sign-ins that ended, or were revoked, before that time.
	DeleteEndedFamilies(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteOldAttempts removes counts of wrong credentials that no longer matter at that time.
	DeleteOldAttempts(ctx context.Context, now time.Time, limit int) (int, error)
	// DeleteKnownAddresses removes those that were remembered until before that time.
	DeleteKnownAddresses(ctx context.Context, before time.Time, limit int) (int, error)
	DeleteEndedAPIKeys(ctx context.Context, before time.Time, limit int) (int, error)
	DeleteOldEvents(ctx context.Context, before time.Time, limit int) (int, error)
	// DeleteRemovedEntries removes the versions of entries that were deleted before that time; the entries' rows
	// stay, so that version numbers never restart.
	DeleteRemovedEntries(ctx context.Context, before time.Time, limit int) (int, error)
}
