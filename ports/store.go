package ports

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Store is the database.
type Store interface {
	UnitOfWork
	// Read returns the repositories outside any transaction: each call is a statement of its own.
	Read() Repos
}

// UnitOfWork runs changes that belong together.
type UnitOfWork interface {
	// Do runs fn in one transaction and commits it, or rolls back when fn returns an error, which Do then returns. It
	// runs fn again when the database could not serialise it or a server key turned out stale (three times in all), and
	// when fn asks for it (ErrStartOver, ten times); fn must therefore set what it returns rather than add to it. Inside
	// fn there is no hashing of passwords, no derivation of keys and no network call, and no other Do: that is an error.
	// Errors of its own: Unavailable when the database does not answer or the outcome of the commit is unknown.
	Do(ctx context.Context, fn func(ctx context.Context, repos Repos) error) error
}

// ErrStartOver is what fn of a UnitOfWork returns to be run again in a new transaction, because it found a state that
// wants its locks in another order.
var ErrStartOver = errors.New("start the unit of work over")

// Repos are the repositories, all within one transaction or all outside. Where their comments name no error, only
// those come back that mean the database failed. Locks are taken in the order system, user, box, entry.
type Repos struct {
	Callers       Callers
	System        System
	Users         Users
	APIKeys       APIKeys
	Sessions      Sessions
	TOTPSecrets   TOTPSecrets
	TokenFamilies TokenFamilies
	Attempts      Attempts
	Boxes         Boxes
	BoxUsers      BoxUsers
	Entries       Entries
	Events        Events
	Droplets      DropletRecords
	ServerKeys    ServerKeys
	SealedRows    SealedRows
}

// Callers answers who somebody is and what they are to a box, each by one statement.
type Callers interface {
	// Caller returns the user behind a credential. A credential that was revoked, and one whose user is gone, give a
	// Caller with a zero UserID, which does not authenticate.
	Caller(ctx context.Context, credential domain.Credential) (domain.Caller, error)
	// Access returns the caller, the box and the caller's part in it. A box that does not exist, which every empty
	// name is, gives a zero Box.
	Access(ctx context.Context, credential domain.Credential, box domain.BoxName) (domain.Access, error)
}

// EntryReader returns all that is needed to decide and answer the read of an entry, by one statement. Version 0 asks
// for the newest. What is not there is zero: the box, the entry, the sealed value.
type EntryReader interface {
	LookUp(ctx context.Context, credential domain.Credential, box domain.BoxName, key domain.EntryKey,
		version uint64) (EntrySnapshot, error)
	// LookUpForWrite is Facts of the newest version without its value, which a writer has no use for.
	LookUpForWrite(ctx context.Context, credential domain.Credential, box domain.BoxName,
		key domain.EntryKey) (EntrySnapshot, error)
}

// EntrySnapshot is what an EntryReader found.
type EntrySnapshot struct {
	Access domain.Access
	Entry  domain.Entry
	// Version is the sealed version that was asked for; its Place.Version is 0 when there is none.
	Version StoredVersion
}

// EntryWriter writes over the values of entries, of many requests in one commit. It never waits for a lock.
type EntryWriter interface {
	// WriteIfUnchanged stores a version, moves its entry to it, drops the oldest ones and appends the event, if all that was
	// decided upon still held when the statement began, and nobody else is writing the entry. Otherwise it stores nothing and reports false, and
	// whoever asked must decide anew under the lock. Errors: Unavailable when too many wait, the database does not
	// answer, or the outcome is unknown, as it is when ctx ends first.
	WriteIfUnchanged(ctx context.Context, write ConditionalWrite) (stored bool, err error)
}

// ConditionalWrite is a version that comes after the newest one of an entry that has a value.
type ConditionalWrite struct {
	// Facts are what was decided upon. What counts of them is that the credential is good and ends when it did, that
	// the caller is active in the box with these permissions, and that the entry is at this version.
	Snapshot EntrySnapshot
	Version  NewVersion
	At       time.Time
	// Keep is how many versions are kept; 0 is all.
	Keep  int
	Event domain.Event
}

// EventWriter puts what was not part of a change on record: reads and refusals.
type EventWriter interface {
	// Write returns when the event is committed, together with those of concurrent requests. Errors: Unavailable when
	// the queue is full, the database does not answer or ctx ends; the event may be on record all the same then.
	Write(ctx context.Context, event domain.Event) error
}

// SealedRows walks over what is sealed under server keys, for rekey. Batches are small, so that nobody waits for long.
type SealedRows interface {
	// Entries returns up to limit versions whose outer layer is under key, without their values, in the order of their
	// places and beginning after one; the zero Place is before all.
	Entries(ctx context.Context, key domain.ServerKeyID, after Place, limit int) ([]StoredVersion, error)
	// ReplaceEnvelope replaces an envelope if it is still the one that was read; it is no error when it is not.
	ReplaceEnvelope(ctx context.Context, was StoredVersion, key domain.ServerKeyID, envelope []byte) error
	// Passwords returns up to limit accounts whose password is sealed under key, by user and beginning after one.
	Passwords(ctx context.Context, key domain.ServerKeyID, after domain.UserID, limit int) ([]SealedPassword, error)
	// ReplacePassword replaces a sealed password if it is still the one that was read.
	ReplacePassword(ctx context.Context, was SealedPassword, key domain.ServerKeyID, sealed []byte) error
	// Codes returns up to limit one-time codes whose secret is sealed under key, in the order of their ids and
	// beginning after one.
	Codes(ctx context.Context, key domain.ServerKeyID, after domain.TOTPID, limit int) ([]SealedTOTPSecret, error)
	// ReplaceCode replaces a sealed secret if it is still the one that was read.
	ReplaceCode(ctx context.Context, was SealedTOTPSecret, key domain.ServerKeyID, sealed []byte) error
	// TokensUnder lists the API keys that were signed under key.
	TokensUnder(ctx context.Context, key domain.ServerKeyID) ([]OwnedAPIKey, error)
	// OldestTransaction returns how long the oldest transaction of a server has been running; 0 when there is none.
	OldestTransaction(ctx context.Context) (time.Duration, error)
	// DeleteTokens deletes the API keys and the sessions that were signed under key, and returns how many.
	DeleteTokens(ctx context.Context, key domain.ServerKeyID) (int, error)
}

// SealedPassword is a user's password hash as it is stored; Sealed is empty for a user without a password.
type SealedPassword struct {
	User      domain.UserID
	ServerKey domain.ServerKeyID
	Sealed    []byte
}

// OwnedAPIKey is an API key with the name of its user.
type OwnedAPIKey struct {
	Key  domain.APIKey
	User domain.UserName
}
