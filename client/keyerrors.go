package client

// These are the kinds of failure of identities and keyrings, for tests with errors.Is. Package client/keys detects most
// of these failures before a key is sent. The server reports the others. The text in parentheses in each comment is the
// error code, which Error.Code contains.
var (
	// ErrNoKeyring means that a box has no keyring (keyring_not_found).
	ErrNoKeyring = codeKind("keyring_not_found")
	// ErrKeyringMissing means that the box had a keyring before, but the server has none now (keyring_missing). No key
	// is sent.
	ErrKeyringMissing = codeKind("keyring_missing")
	// ErrKeyringTampered means that a keyring is malformed, that its parts do not belong together, or that it was made
	// for another box or another recipient (keyring_tampered).
	ErrKeyringTampered = codeKind("keyring_tampered")
	// ErrKeyringNotContinued means that a keyring lacks the box key that this client knows (keyring_not_continued). A
	// keyring must contain all earlier keys of the box, so the author of this keyring did not have the known key.
	ErrKeyringNotContinued = codeKind("keyring_not_continued")
	// ErrKeyringRolledBack means that a keyring is older than one that this client has accepted (keyring_rolled_back).
	ErrKeyringRolledBack = codeKind("keyring_rolled_back")
	// ErrKeyringForked means that two different keyrings have the same number (keyring_forked).
	ErrKeyringForked = codeKind("keyring_forked")
	// ErrKeyringModeChanged means that a keyring has another encryption mode than before (keyring_mode_changed).
	ErrKeyringModeChanged = codeKind("keyring_mode_changed")
	// ErrKeyringAuthorUnknown means that this client cannot verify the author of a keyring (keyring_author_unknown).
	// This happens when a box with client encryption is new to the client, and the client has neither an anchor nor a
	// way to ask the user.
	ErrKeyringAuthorUnknown = codeKind("keyring_author_unknown")
	// ErrInstallationChanged means that the server at this URL is another installation than before
	// (installation_changed).
	ErrInstallationChanged = codeKind("installation_changed")
	// ErrInstallationElsewhere means that the client knows this installation under a different URL
	// (installation_elsewhere).
	ErrInstallationElsewhere = codeKind("installation_elsewhere")
	// ErrBoxReplaced means that another box now has the name of a known box (box_replaced).
	ErrBoxReplaced = codeKind("box_replaced")
	// ErrUserReplaced means that another user now has the name of a known user (user_replaced).
	ErrUserReplaced = codeKind("user_replaced")
	// ErrIdentityChanged means that the identity of a user differs from the one that was confirmed (identity_changed).
	ErrIdentityChanged = codeKind("identity_changed")
	// ErrIdentityUnconfirmed means that the fingerprint of a user was never confirmed (identity_unconfirmed). No key is
	// wrapped for that user.
	ErrIdentityUnconfirmed = codeKind("identity_unconfirmed")
	// ErrIdentityInvalid means that a public key is malformed or does not match its fingerprint (identity_invalid).
	ErrIdentityInvalid = codeKind("identity_invalid")
	// ErrIdentityExposed means that a request contains an identity (identity_in_request). The request is not sent.
	ErrIdentityExposed = codeKind("identity_in_request")
	// ErrUnlockFailed means that a locked identity cannot be opened: the passphrase is wrong, or the locked identity
	// was changed or belongs to another user (unlock_failed).
	ErrUnlockFailed = codeKind("unlock_failed")
	// ErrKeyNotForThisBox means that a value is encrypted under a key that is not in the box's keyring
	// (key_not_for_this_box).
	ErrKeyNotForThisBox = codeKind("key_not_for_this_box")
	// ErrClientEncryption means that a box has client encryption (client_encrypted_box). This client does not support
	// client encryption, and it must not send the key of such a box to the server.
	ErrClientEncryption = codeKind("client_encrypted_box")
	// ErrKeyringInvalid means that a new keyring breaks a rule, such as the maximum number of recipients
	// (keyring_invalid).
	ErrKeyringInvalid = codeKind("keyring_invalid")
	// ErrAnchorInvalid means that an anchor ("lba1_…") is damaged (anchor_invalid).
	ErrAnchorInvalid = codeKind("anchor_invalid")
	// ErrMemoryUnwritable means that the client cannot store what it must remember about a box (memory_unwritable).
	ErrMemoryUnwritable = codeKind("memory_unwritable")

	// ErrNotRecipient means that the caller does not have the key of the box (not_recipient). A member who has the key
	// must grant it to the caller.
	ErrNotRecipient = codeKind("not_recipient")
	// ErrKeyNotCurrent means that the key of a write is not the current key of the box's keyring (key_not_current). A
	// box with a keyring accepts writes only under its current key.
	ErrKeyNotCurrent = codeKind("key_not_current")
	// ErrKeyringSequence means that a new keyring has a wrong number (keyring_sequence). The number must exceed the
	// number of the stored keyring by 1 to 1000.
	ErrKeyringSequence = codeKind("keyring_sequence")
	// ErrKeyChangeRequired means that a new keyring must also have a new key (key_change_required). Without a new key,
	// a change may only add recipients.
	ErrKeyChangeRequired = codeKind("key_change_required")
	// ErrKeyIDUsed means that the key was used in this box before (key_id_used).
	ErrKeyIDUsed = codeKind("key_id_used")
	// ErrRecipientStale means that a recipient of a new keyring is not an active member, or has replaced the identity
	// that the keyring names (recipient_stale).
	ErrRecipientStale = codeKind("recipient_stale")
	// ErrIdentityTaken means that another user has or had this identity (identity_taken).
	ErrIdentityTaken = codeKind("identity_taken")
	// ErrRecentSignInRequired means that the request needs a session that began with a password within the last ten
	// minutes (recent_sign_in_required).
	ErrRecentSignInRequired = codeKind("recent_sign_in_required")
)

// keyCode is a kind of failure. Its text is the error code of this kind.
type keyCode string

func (k keyCode) Error() string { return string(k) }

// codeKind returns the kind for an error code, and adds it to kindOfCode. If a response contains this code, the client
// returns an error of this kind.
func codeKind(code string) error {
	kindOfCode[code] = keyCode(code)
	return keyCode(code)
}

// NewKeyError returns an error of one of the kinds above. Package client/keys calls it for failures that the client
// itself detects. The message names the fault and the remedy, and contains no secret. cause may be nil.
func NewKeyError(kind error, message string, cause error) *Error {
	return &Error{
		Code:    kind.Error(),
		Message: message,
		kinds:   []error{kind},
		cause:   cause,
	}
}
