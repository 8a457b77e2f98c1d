package ports

import (
	"context"
	"errors"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// Store is the database. The repositories are storage ports: any implementation that passes their conformance suite can
// replace PostgreSQL.
type Store interface {
	UnitOfWork
	// Read returns the repositories outside a transaction. Each call of a method of these repositories runs a separate
	// statement.
	Read() Repos
}

// UnitOfWork runs several changes as one transaction.
type UnitOfWork interface {
	// Do runs fn in a transaction and commits it. When fn returns an error, Do rolls back and returns that error.
	//
	// Do runs fn again in two cases:
	//
	//   - The database reports a serialization failure or a deadlock, or fn returns ErrStaleServerKey. Do then runs fn
	//     at most three times in all.
	//   - The function fn returns ErrStartOver. Do then runs fn at most ten times in all.
	//
	// Because fn can run several times, it must assign its results instead of appending to them. fn must not hash
	// passwords, derive keys or use the network. It must not call Do either: a nested Do returns an error.
	//
	// Errors of Do itself: Unavailable when the database does not answer, or when the outcome of the commit is unknown.
	Do(ctx context.Context, fn func(ctx context.Context, repos Repos) error) error
}

// ErrStartOver makes UnitOfWork.Do run fn again in a new transaction. The function fn returns ErrStartOver when it
// finds that it needs its locks in a different order.
var ErrStartOver = errors.New("start the transaction over")

// Repos are the repositories. Either all of them run inside one transaction, or all of them run outside a transaction.
// A method whose comment names no error fails only when the database fails. Locks are taken in the order system, user,
// box, entry.
type Repos struct {
	Callers       Callers
	System        System
	Users         Users
	APIKeys       APIKeys
	Sessions      Sessions
	TOTPSecrets   TOTPSecrets
	Identities    Identities
	TokenFamilies TokenFamilies
	Invitations   Invitations
	Attempts      Attempts
	SignIns       SignIns
	Boxes         Boxes
	BoxUsers      BoxUsers
	BoxKeyrings   BoxKeyrings
	Entries       Entries
	Events        Events
	Droplets      DropletRecords
	ServerKeys    ServerKeys
	SealedRows    SealedRows
}

// Callers looks up callers and their access to boxes, with one statement per call.
type Callers interface {
	// Caller returns the user of a credential. For a revoked credential or a deleted user, it returns a Caller with a
	// zero UserID. The method Authenticate refuses such a Caller.
	Caller(ctx context.Context, credential domain.Credential) (domain.Caller, error)
	// Access returns the caller, the box, and the caller's membership of the box. Box is zero when no box has that
	// name. This is always the case for the empty name.
	Access(ctx context.Context, credential domain.Credential, box domain.BoxName) (domain.Access, error)
}

// EntryReader looks up all data that is needed to decide a request for one entry. Concurrent requests share a
// statement. In the result, a box, entry or version that does not exist is zero. Errors: Unavailable when the database
// does not answer or ctx ends.
type EntryReader interface {
	// LookUp returns a version of an entry; version 0 means the newest. The result contains the sealed value only if
	// the caller has the permission ReadEntry. For a caller without this permission, LookUp does not load the value,
	// because the response time could reveal its size.
	LookUp(ctx context.Context, credential domain.Credential, box domain.BoxName, key domain.EntryKey,
		version uint64) (EntrySnapshot, error)
	// LookUpForWrite returns the newest version without its value.
	LookUpForWrite(ctx context.Context, credential domain.Credential, box domain.BoxName,
		key domain.EntryKey) (EntrySnapshot, error)
	// CheckCurrent returns an error of kind Unavailable if a new primary has replaced the primary that answered the
	// lookup. In this case, the snapshot may be out of date. Call CheckCurrent after the event of the read is
	// committed. If CheckCurrent then returns nil, the database still had the same primary at the commit.
	CheckCurrent(snapshot EntrySnapshot) error
}

// EntrySnapshot is the state that an EntryReader found.
type EntrySnapshot struct {
	Access domain.Access
	Entry  domain.Entry
	// Version is the requested version. If that version does not exist, Place.Version is 0.
	Version StoredVersion
	// Timeline identifies the primary that answered the lookup. It is 0 if the primary is unknown.
	Timeline uint32
}

// EntryWriter replaces values of existing entries, and commits the writes of concurrent requests together. It never
// waits for a lock.
type EntryWriter interface {
	// WriteIfUnchanged stores a version, makes it the entry's newest, deletes the oldest versions and appends the
	// event. If the snapshot is not current any more, or if another transaction is writing the entry, WriteIfUnchanged
	// stores nothing and reports false. The caller then locks the entry and decides again; see Entries.Lock. Errors:
	// Unavailable when the queue is full, the database does not answer, or the outcome is unknown. The outcome is
	// unknown, for example, when ctx ends before the database reports it.
	WriteIfUnchanged(ctx context.Context, write ConditionalWrite) (stored bool, err error)
}

// ConditionalWrite is a version that follows the newest version of an existing entry.
type ConditionalWrite struct {
	// Snapshot is the state on which the decision to write is based. WriteIfUnchanged requires that the credential is
	// valid and that the caller is an active member of the box. Four values must be the same as in the snapshot: the
	// expiry of the credential, the permissions of the caller, the version of the entry, and the box key in force.
	Snapshot EntrySnapshot
	Version  NewVersion
	At       time.Time
	// Keep is the number of versions to keep; 0 keeps all.
	Keep int
	// Limited means that the box has a limit on its storage. WriteIfUnchanged then stores the version only if the
	// entry's reservation has room for the version.
	Limited bool
	Event   domain.Event
}

// EventWriter commits audit events that are not part of a change: reads and refusals.
type EventWriter interface {
	// Write commits the event and then returns. One commit may contain the events of several requests. Errors:
	// Unavailable when the queue is full, the database does not answer, or ctx ends. After an error, the event may
	// still have been committed.
	Write(ctx context.Context, event domain.Event) error
}

// SealedRows iterates over everything that is sealed or signed under a server key. Rekey uses it in small batches,
// because large batches would lock rows for a long time. The verification of a backup uses it to open every row. In all
// methods, limit is the maximum number of results.
type SealedRows interface {
	// Count returns the number of sealed rows of each kind, under all keys. It includes rows whose key is not stored.
	Count(ctx context.Context) (SealedCounts, error)
	// Entries returns versions whose envelope is wrapped under the given key. The results contain no values. They are
	// sorted by place and begin after the given place. The zero Place precedes all others.
	Entries(ctx context.Context, key domain.ServerKeyID, after Place, limit int) ([]StoredVersion, error)
	// ReplaceEnvelope replaces an envelope if it has not changed since it was read. Otherwise, ReplaceEnvelope does
	// nothing and returns nil.
	ReplaceEnvelope(ctx context.Context, was StoredVersion, key domain.ServerKeyID, envelope []byte) error
	// Passwords returns passwords that are sealed under the given key, sorted by user. They begin after the given user.
	Passwords(ctx context.Context, key domain.ServerKeyID, after domain.UserID, limit int) ([]SealedPassword, error)
	// ReplacePassword replaces a sealed password if it has not changed since it was read.
	ReplacePassword(ctx context.Context, was SealedPassword, key domain.ServerKeyID, sealed []byte) error
	// Codes returns TOTP secrets that are sealed under the given key, sorted by identifier. They begin after the given
	// identifier.
	Codes(ctx context.Context, key domain.ServerKeyID, after domain.TOTPID, limit int) ([]SealedTOTPSecret, error)
	// ReplaceCode replaces a sealed TOTP secret if it has not changed since it was read.
	ReplaceCode(ctx context.Context, was SealedTOTPSecret, key domain.ServerKeyID, sealed []byte) error
	// LockedIdentities returns locked identities that are sealed under the given key, sorted by user. They begin after
	// the given user.
	LockedIdentities(ctx context.Context, key domain.ServerKeyID, after domain.UserID, limit int) ([]SealedIdentity,
		error)
	// ReplaceLockedIdentity replaces a sealed identity if it has not changed since it was read.
	ReplaceLockedIdentity(ctx context.Context, was SealedIdentity, key domain.ServerKeyID, sealed []byte) error
	// TokensUnder lists the API keys that were signed under the given key.
	TokensUnder(ctx context.Context, key domain.ServerKeyID) ([]OwnedAPIKey, error)
	// PlainRecoveryCodeCounts returns the users who have recovery codes without a keyed digest, sorted by name. Each
	// result contains the number of these codes.
	PlainRecoveryCodeCounts(ctx context.Context) ([]PlainRecoveryCodeCount, error)
	// PlainRecoveryCodes returns recovery codes of a user that have no keyed digest.
	PlainRecoveryCodes(ctx context.Context, user domain.UserID, limit int) ([]PlainRecoveryCode, error)
	// KeyRecoveryCode replaces the hash of a recovery code with its keyed digest, and reports whether it replaced the
	// hash. It does not replace the hash if the code was used or converted since it was read.
	KeyRecoveryCode(ctx context.Context, was PlainRecoveryCode, key domain.ServerKeyID,
		digest domain.Digest) (bool, error)
	// DeletePlainRecoveryCodes deletes all recovery codes of a user that have no keyed digest, and returns how many it
	// deleted.
	DeletePlainRecoveryCodes(ctx context.Context, user domain.UserID) (int, error)
	// OpenTransactions returns identifiers of the open transactions of all sessions in the database, except for the
	// caller's session. It includes transactions of other roles, and transactions that have written nothing yet.
	// Identifiers are never reused.
	OpenTransactions(ctx context.Context) ([]string, error)
	// OldestTransaction returns the age of the oldest open transaction of a server, or 0 when no transaction is open.
	OldestTransaction(ctx context.Context) (time.Duration, error)
	// DeleteTokens deletes the signed tokens, token families, recovery codes and invitations that depend on the given
	// server key. It returns the number of deleted rows.
	DeleteTokens(ctx context.Context, key domain.ServerKeyID) (int, error)
}

// SealedCounts are numbers of sealed rows by kind.
type SealedCounts struct {
	Entries, Passwords, TOTPSecrets, LockedIdentities int
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
