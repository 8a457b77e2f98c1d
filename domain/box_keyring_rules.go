package domain

import (
	"slices"
	"strconv"
	"strings"
)

// Errors about keyrings and their keys. The messages state what the client must do, because only a client can build a
// keyring.
var (
	ErrKeyringNotFound = Refuse(NotFound, "keyring_not_found",
		"the box has no keyring, or no keyring with this sequence number")
	ErrNotRecipient = Refuse(Forbidden, "not_recipient",
		"only a recipient of the box's keyring may replace it: ask a recipient to grant you access")
	ErrKeyringChanged = Refuse(Precondition, "precondition_failed",
		"the keyring of the box is not the one that the request requires: read the keyring and try again")
	ErrKeyringSequence = Refuse(Conflict, "keyring_sequence",
		"the sequence of the new keyring must exceed that of the present keyring by 1 to 1000")
	ErrKeyChangeRequired = Refuse(Conflict, "key_change_required",
		"recipients can be removed only together with a change of the key: send a keyring with a new key")
	ErrKeyIDUsed = Refuse(Conflict, "key_id_used", "the box used this key before: send a keyring with a fresh key")
	// ErrKeyNotCurrent is the refusal to write a value that is not encrypted under the current box key.
	ErrKeyNotCurrent = Refuse(Conflict, "key_not_current",
		"the encryption key is not the current key of the box: fetch the keyring, and use its current key")
)

// KeyringMember is an active member of a box, with the fingerprint of the member's present identity. The fingerprint is
// zero for a member without an identity.
type KeyringMember struct {
	User        UserID
	Name        UserName
	Fingerprint Fingerprint
}

// CheckSignature checks that the given identity signed the keyring. The head must contain the fingerprint of this
// identity as the author, and the public key of this identity must verify the signature. Errors: Invalid with code
// keyring_invalid.
func (k BoxKeyring) CheckSignature(author Identity) error {
	if k.Author != author.Fingerprint {
		return keyringInvalid("head", "the author in the field head must be your present identity")
	}
	message := appendPart(nil, []byte(keyringSignLabel))
	message = append(message, k.KeyringHead.Bytes()...)
	if !author.Public.Verify(append(message, k.Chain...), k.Signature) {
		return keyringInvalid("signature", "the signature does not verify under the author's public key")
	}
	return nil
}

// CheckPlace refuses a keyring that was made for another installation or another box.
func (k BoxKeyring) CheckPlace(installation InstallationID, box BoxID) error {
	switch {
	case k.Installation != installation:
		return keyringInvalid("head", "head names another installation")
	case k.Box != box:
		return keyringInvalid("head", "head names another box")
	}
	return nil
}

// CheckSuccessor decides whether a keyring may replace the stored one. A keyring with the same key may only add
// recipients. To remove members or to reset the keyring, the caller must send a new key. Errors: Conflict with code
// keyring_sequence or key_change_required; Invalid if a reset contains earlier keys.
func (k BoxKeyring) CheckSuccessor(stored BoxKeyring, removes, reset bool) error {
	if k.Sequence <= stored.Sequence || k.Sequence-stored.Sequence > MaxSequenceStep {
		return ErrKeyringSequence
	}
	if k.Key == stored.Key {
		if removes || reset || !k.includes(stored.Recipients) {
			return ErrKeyChangeRequired
		}
		return nil
	}
	if reset && len(k.Chain) != chainOverhead {
		return keyringInvalid("chain", "the chain of a reset must not contain earlier keys")
	}
	return nil
}

// includes reports whether all given recipients are recipients of the keyring.
func (k BoxKeyring) includes(others []KeyRecipient) bool {
	lines := make(map[KeyringMember]bool, len(k.Recipients))
	for _, recipient := range k.Recipients {
		lines[recipient.line()] = true
	}
	return !slices.ContainsFunc(others, func(r KeyRecipient) bool { return !lines[r.line()] })
}

// line returns a copy of the recipient that contains neither the name nor the wrapped key.
func (r KeyRecipient) line() KeyringMember {
	return KeyringMember{User: r.User, Fingerprint: r.Fingerprint}
}

// CheckRecipients refuses a keyring if a recipient is not an active member of the box, or if the member's present
// identity differs from the identity in the keyring. Errors: Conflict with code recipient_stale; the message names the
// refused recipients.
func (k BoxKeyring) CheckRecipients(members []KeyringMember) error {
	due := KeyChangeDue(k.Recipients, members)
	if len(due) == 0 {
		return nil
	}
	byUser := make(map[UserID]UserName, len(members))
	for _, member := range members {
		byUser[member.User] = member.Name
	}
	names := missingFrom(BoxKeyring{}, BoxKeyring{Recipients: due}, byUser)
	return Refuse(Conflict, "recipient_stale",
		listed("these recipients are not active members, or have another identity now: ", names)+
			"; send a keyring that has a new key and omits these recipients")
}

// KeyChangeDue returns the recipients who are no longer active members of the box, or whose present identity differs
// from the identity in the keyring. If the result is not empty, the key of the box must be changed. The result is
// computed from the present state at each call. A stored flag would be wrong if any code changed a member or an
// identity without setting the flag.
func KeyChangeDue(recipients []KeyRecipient, members []KeyringMember) []KeyRecipient {
	entitled := make(map[KeyringMember]bool, len(members))
	for _, member := range members {
		entitled[KeyringMember{User: member.User, Fingerprint: member.Fingerprint}] = true
	}
	var due []KeyRecipient
	for _, recipient := range recipients {
		if recipient.Fingerprint.IsZero() || !entitled[recipient.line()] {
			due = append(due, recipient)
		}
	}
	return due
}

// WaitingMembers returns the active members who are not recipients under their present identity.
func WaitingMembers(recipients []KeyRecipient, members []KeyringMember) []KeyringMember {
	served := make(map[KeyringMember]bool, len(recipients))
	for _, recipient := range recipients {
		served[recipient.line()] = true
	}
	var waiting []KeyringMember
	for _, member := range members {
		if !served[KeyringMember{User: member.User, Fingerprint: member.Fingerprint}] {
			waiting = append(waiting, member)
		}
	}
	return waiting
}

// CheckKey decides whether a value that is encrypted under the given key may be written to the box. In a box with a
// keyring, only the current key is allowed.
func (b Box) CheckKey(used KeyID) error {
	if !b.Key.IsZero() && b.Key != used {
		return ErrKeyNotCurrent
	}
	return nil
}

// ResetKeyring decides whether the caller may replace a keyring whose key is lost. The owner of the box and admins may
// replace it.
func (a Access) ResetKeyring() error { return a.Transfer() }

// Describe compares k with the keyring that k replaces, and returns a summary for the audit log. The summary contains
// the id of the key, the author, and what changed. The argument "stored" is the replaced keyring. It is zero if k is
// the first keyring of the box. The summary names at most ten added and at most ten removed users.
func (k BoxKeyring) Describe(stored BoxKeyring, members []KeyringMember, reset bool) string {
	change := "new recipients"
	switch {
	case stored.Sequence == 0:
		change = "first key"
	case reset:
		change = "reset"
	case k.Key != stored.Key:
		change = "new key"
	}
	names := make(map[UserID]UserName, len(members))
	for _, member := range members {
		names[member.User] = member.Name
	}
	added, removed := missingFrom(stored, k, names), missingFrom(k, stored, names)
	return "key " + k.Key.String() + ", author " + k.Author.String() + ", " + change + listed(", added ", added) +
		listed(", removed ", removed)
}

// missingFrom returns the names of the recipients that the keyring "other" has but the keyring k does not have.
func missingFrom(k, other BoxKeyring, names map[UserID]UserName) (missing []string) {
	present := make(map[KeyringMember]bool, len(k.Recipients))
	for _, recipient := range k.Recipients {
		present[recipient.line()] = true
	}
	for _, recipient := range other.Recipients {
		if present[recipient.line()] {
			continue
		}
		name := recipient.Name
		if name == "" {
			name = names[recipient.User]
		}
		if name == "" {
			name = UserName(recipient.User.String()) // the user was deleted
		}
		missing = append(missing, string(name))
	}
	return missing
}

// listed returns the label, up to ten names and the number of further names. It returns "" if there are no names.
func listed(label string, names []string) string {
	const shown = 10
	if len(names) == 0 {
		return ""
	}
	text := label + strings.Join(names[:min(len(names), shown)], " ")
	if more := len(names) - shown; more > 0 {
		text += " and " + strconv.Itoa(more) + " more"
	}
	return text
}
