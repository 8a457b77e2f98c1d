package ports

import (
	"context"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// LockedIdentityPurpose is the purpose under which locked identities are sealed; see AccountSealer.
const LockedIdentityPurpose = "locked identity"

// SealedIdentity is a locked identity as it is stored. The client encrypted the seed under a passphrase. The server
// then sealed the result under an account key.
type SealedIdentity struct {
	User domain.UserID
	// Fingerprint is the fingerprint of the identity whose seed is locked.
	Fingerprint domain.Fingerprint
	ServerKey   domain.ServerKeyID
	Sealed      []byte
	CreatedAt   time.Time
}

// Identities stores at most one locked identity for each user, and all public keys that users have or had. It never
// deletes the public keys.
type Identities interface {
	// Put makes a public key the user's current one. If the user had the key earlier, the creation time of the key does
	// not change. The caller holds Users.Lock, or adds the user in the same transaction. Errors: Conflict with code
	// identity_taken when another user has or had the key.
	Put(ctx context.Context, identity domain.Identity) error
	// Count returns the number of public keys that a user has or had.
	Count(ctx context.Context, user domain.UserID) (int, error)
	// Current returns the current identity of a user. Errors: NotFound with code identity_not_found.
	Current(ctx context.Context, user domain.UserID) (domain.Identity, error)
	// CurrentOf returns the current identity of the user with the given name. For a user who does not exist, it returns
	// the error for a missing identity.
	CurrentOf(ctx context.Context, user domain.UserName) (domain.Identity, error)
	// ByFingerprint returns an identity that a user has or had. Errors: NotFound with code identity_not_found.
	ByFingerprint(ctx context.Context, fingerprint domain.Fingerprint) (domain.Identity, error)

	// PutLocked stores a locked identity in place of an earlier one. The caller holds Users.Lock. Errors:
	// ErrStaleServerKey.
	PutLocked(ctx context.Context, locked SealedIdentity) error
	// Locked returns the locked identity of a user. Errors: NotFound with code locked_identity_not_found.
	Locked(ctx context.Context, user domain.UserID) (SealedIdentity, error)
	// DeleteLocked deletes the locked identity of a user and reports whether there was one.
	DeleteLocked(ctx context.Context, user domain.UserID) (bool, error)
}

// PastKeyring is a line in the list of a box's keyrings.
type PastKeyring struct {
	Sequence  uint64
	Key       domain.KeyID
	CreatedAt time.Time
	// Author is empty if that user was deleted.
	Author domain.UserName
}

// BoxKeyrings stores the keyrings of boxes. The keyring with the highest sequence is in force.
type BoxKeyrings interface {
	// Add stores a keyring and puts its key in force: no write under another key is committed after this transaction.
	// Add also marks old keyrings, which the Janitor then deletes. The newest keyrings stay unmarked;
	// domain.KeptKeyrings is their number. The caller holds Boxes.Lock. Errors: Conflict with code key_id_used if the
	// new key was an earlier key of the box. A new keyring may keep the current key of the box.
	Add(ctx context.Context, keyring domain.BoxKeyring) error
	// Newest returns the keyring in force. The result contains no recipients. Errors: NotFound with code
	// keyring_not_found.
	Newest(ctx context.Context, box domain.BoxID) (domain.BoxKeyring, error)
	// Get returns one keyring. The result contains no recipients. Errors: NotFound with code keyring_not_found.
	Get(ctx context.Context, box domain.BoxID, sequence uint64) (domain.BoxKeyring, error)
	// Recipients lists the recipients of a keyring with their names, sorted by fingerprint. The result contains the
	// wrapped keys only if the argument "whole" is true.
	Recipients(ctx context.Context, box domain.BoxID, sequence uint64, whole bool) ([]domain.KeyRecipient, error)
	// Wrapped returns the key of a keyring, wrapped for the user's current identity. It returns nil if this identity is
	// not a recipient.
	Wrapped(ctx context.Context, box domain.BoxID, sequence uint64, user domain.UserID) ([]byte, error)
	// Members lists the members of a box with their current identities, sorted by name. It omits inactive members and
	// inactive users.
	Members(ctx context.Context, box domain.BoxID) ([]domain.KeyringMember, error)
	// Past lists the stored keyrings whose sequence is lower than the argument "before", newest first.
	Past(ctx context.Context, box domain.BoxID, before uint64) ([]PastKeyring, error)
}
