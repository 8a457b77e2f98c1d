// Package storage is the suite that every implementation of the storage ports must pass.
//
// The suite calls only the interfaces of package ports, and checks what their comments promise. An implementation runs
// it with Exercise:
//
//	func TestStorage(t *testing.T) { storage.Exercise(t, open) }
//
// Details of a single implementation, such as its query plans, are tested beside its code.
package storage

import (
	"context"
	"testing"

	"github.com/lockbox-go/lockbox/ports"
)

// Store is an implementation of all storage ports. All of them use the same database.
type Store struct {
	ports.Store
	ports.EntryReader
	ports.EntryWriter
	ports.Janitor
	Events ports.EventWriter
	Queue  ports.EventQueue
	// Conflicts are errors that make the store retry a unit of work. They represent the errors of a database after a
	// conflict between concurrent transactions.
	Conflicts []error
}

// Open returns a store with a new, empty database. It registers the cleanup with t. If a unit of work returns
// ports.ErrStaleServerKey, the store must call onStaleServerKey before the retry.
type Open func(t *testing.T, onStaleServerKey func(context.Context) error) Store

// Exercise runs the suite. The tests run in parallel, and each opens its own store.
func Exercise(t *testing.T, open Open) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(newFixture(t, open))
		})
	}
}

// tests contains the tests of the suite. The name of a test consists of the name of a port, a slash, and what the test
// checks.
var tests = map[string]func(*fixture){
	"UnitOfWork/CommitAndRollback":     commitAndRollback,
	"UnitOfWork/Panic":                 panicRollsBack,
	"Store/Read":                       uncommittedChangesAreInvisible,
	"UnitOfWork/CancelledAfterWork":    aCommitOutlivesItsRequest,
	"UnitOfWork/NestedIsRefused":       nestedIsRefused,
	"UnitOfWork/RetriesConflicts":      conflictsAreRetried,
	"UnitOfWork/StartsOver":            startsOver,
	"UnitOfWork/StaleServerKey":        staleServerKey,
	"System/Owner":                     systemOwner,
	"System/LockSerialises":            systemLockSerialises,
	"Users/Lifecycle":                  userLifecycle,
	"Users/Delete":                     userDelete,
	"Users/Lists":                      userLists,
	"Users/Passwords":                  userPasswords,
	"Users/Permissions":                userPermissions,
	"Users/LockSerialises":             userLockSerialises,
	"APIKeys/Lifecycle":                apiKeyLifecycle,
	"Sessions/Add":                     sessionAdd,
	"TOTPSecrets/Lifecycle":            totpLifecycle,
	"TOTPSecrets/AcceptsAStepOnce":     totpStepOnce,
	"TOTPSecrets/RecoveryCodes":        recoveryCodes,
	"SealedRows/PlainRecoveryCodes":    plainRecoveryCodes,
	"Identities/Lifecycle":             identityLifecycle,
	"Identities/Taken":                 identityTaken,
	"Identities/Locked":                identityLocked,
	"TokenFamilies/Lifecycle":          tokenFamilyLifecycle,
	"TokenFamilies/RefreshesOnce":      refreshesOnce,
	"Invitations/Lifecycle":            invitationLifecycle,
	"Invitations/DeletesOnce":          invitationDeletedOnce,
	"Attempts/Counters":                attemptCounters,
	"Attempts/LockSerialises":          attemptLockSerialises,
	"Attempts/KnownAddresses":          knownAddresses,
	"Attempts/ReadUser":                attemptsReadUser,
	"SignIns/Session":                  signInSession,
	"SignIns/Family":                   signInFamily,
	"SignIns/Codes":                    signInCodes,
	"Boxes/Lifecycle":                  boxLifecycle,
	"BoxUsers/Lifecycle":               boxUserLifecycle,
	"BoxKeyrings/Lifecycle":            keyringLifecycle,
	"BoxKeyrings/Members":              keyringMembers,
	"BoxKeyrings/KeyIDUsed":            keyringKeyIDUsed,
	"BoxKeyrings/ChangesTheKey":        keyringChangesTheKey,
	"BoxKeyrings/WaitsForWriters":      keyringWaitsForWriters,
	"Entries/Versions":                 entryVersions,
	"Entries/Counter":                  entryCounter,
	"Entries/CounterUnderConcurrency":  entryCounterUnderConcurrency,
	"Entries/DeletedKeysCount":         deletedKeysCount,
	"Entries/Reservation":              entryReservation,
	"Entries/ReservationLimit":         entryReservationLimit,
	"Entries/Keys":                     entryKeys,
	"Entries/Delete":                   entryDelete,
	"Entries/LockReturnsCurrentAccess": entryLockReturnsAccess,
	"Entries/StaleServerKey":           entryStaleServerKey,
	"Callers/EveryCredential":          everyCredential,
	"Callers/Access":                   callerAccess,
	"EntryReader/Snapshot":             readerSnapshot,
	"EntryReader/ValueNeedsPermission": readerPermission,
	"EntryReader/Concurrent":           readerConcurrent,
	"EntryWriter/Stores":               writerStores,
	"EntryWriter/ChangedConditions":    writerConditions,
	"EntryWriter/OneOfManyWins":        writerOneOfMany,
	"EntryWriter/DoesNotWaitForLocks":  writerDoesNotWait,
	"EntryWriter/Reservation":          writerReservation,
	"Events/AppendAndList":             eventsAppendAndList,
	"Events/Filters":                   eventFilters,
	"Events/Pages":                     eventPages,
	"EventWriter/Concurrent":           eventWriterConcurrent,
	"EventWriter/Cancelled":            eventWriterCancelled,
	"EventQueue/Lease":                 eventQueueLease,
	"EventQueue/Every":                 eventQueueEveryEvent,
	"EventQueue/Order":                 eventQueueOrder,
	"EventQueue/Open":                  eventQueueOpenTransactions,
	"EventQueue/Limit":                 eventQueueLimit,
	"Janitor/EventQueue":               janitorEventQueue,
	"ServerKeys/Lifecycle":             serverKeyLifecycle,
	"ServerKeys/DeleteRetired":         serverKeyDeleteRetired,
	"SealedRows/Count":                 sealedCount,
	"SealedRows/OpenTransactions":      openTransactions,
	"SealedRows/Entries":               sealedEntries,
	"SealedRows/Accounts":              sealedAccounts,
	"SealedRows/LockedIdentities":      sealedLockedIdentities,
	"SealedRows/Tokens":                sealedTokens,
	"Janitor/Accounts":                 janitorAccounts,
	"Janitor/Invitations":              janitorInvitations,
	"Janitor/Attempts":                 janitorAttempts,
	"Janitor/Events":                   janitorEvents,
	"Janitor/EventLogSize":             janitorEventLogSize,
	"Janitor/OldKeyrings":              janitorOldKeyrings,
	"Janitor/RemovedEntries":           janitorRemovedEntries,
	"Janitor/Reservations":             janitorReservations,
	"DropletRecords/Lifecycle":         dropletLifecycle,
	"DropletRecords/Claim":             dropletClaim,
}
