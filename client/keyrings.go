package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

const keyringPath = "/boxes/{box}/keyring"

// StoredKeyring is a keyring as the server stores it. Package client/keys parses, verifies and opens it. Do not trust
// the content before this verification.
type StoredKeyring struct {
	Head      Base64         `json:"head"`
	Chain     Base64         `json:"chain"`
	Signature Base64         `json:"signature"`
	Author    PublicIdentity `json:"author"`
	// Wrapped is the box key, encrypted to the caller's public key. It is empty if the caller is not a recipient.
	Wrapped Base64 `json:"wrapped"`
	// ETag is the entity tag of the keyring. Use it as KeyringOptions.IfNoneMatch or as KeyringChange.IfMatch.
	ETag string `json:"-"`

	// The fields below are set only if KeyringOptions.Recipients is set.

	Recipients []KeyringRecipient `json:"recipients"`
	// Waiting lists the active members who cannot open the keyring.
	Waiting []KeyringUser `json:"waiting"`
	// Due lists the recipients who are no longer active members or have replaced their identity. The key should be
	// changed.
	Due          []KeyringUser `json:"due"`
	KeyChangeDue bool          `json:"keyChangeDue"`
	// Past lists the earlier keyrings that the server keeps, newest first.
	Past []PastKeyring `json:"past"`
}

// KeyringUser identifies a user in one of the lists of a StoredKeyring.
type KeyringUser struct {
	// User is the name. It is empty if the user was deleted.
	User        string `json:"user,omitempty"`
	UserID      string `json:"userId"`
	Fingerprint string `json:"fingerprint,omitempty"`
}

// KeyringRecipient is a recipient of a keyring.
type KeyringRecipient struct {
	KeyringUser

	Wrapped Base64 `json:"wrapped"`
}

// PastKeyring describes an earlier keyring.
type PastKeyring struct {
	Sequence uint64    `json:"sequence"`
	KeyID    string    `json:"keyId"`
	At       time.Time `json:"at"`
	Author   string    `json:"author"`
}

// KeyringOptions are options of ReadKeyring. Nil means the defaults.
type KeyringOptions struct {
	// If Recipients is set, the response also contains the last fields of StoredKeyring, from Recipients on. For a box
	// with 1,000 members, the response is then about 1.6 MB long.
	Recipients bool
	// Sequence is the number of an earlier keyring; 0 means the current one.
	Sequence uint64
	// IfNoneMatch is the ETag of the keyring that the caller already has. If that keyring is the current one,
	// ReadKeyring returns ErrNotModified.
	IfNoneMatch string
}

// ReadKeyring returns the keyring of a box without verifying it. It returns ErrNotFound (keyring_not_found) if the box
// has no keyring. Only active members of the box may call ReadKeyring.
func (c *Client) ReadKeyring(ctx context.Context, box string, options *KeyringOptions) (*StoredKeyring, error) {
	opts := orZero(options)
	k := get(keyringPath, box)
	k.query = url.Values{}
	if opts.Recipients {
		k.query.Set("recipients", "all")
	}
	if opts.Sequence != 0 {
		k.query.Set("sequence", strconv.FormatUint(opts.Sequence, 10))
	}
	if opts.IfNoneMatch != "" {
		k.header = http.Header{"If-None-Match": {opts.IfNoneMatch}}
	}
	got, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	stored, err := decode[StoredKeyring](got, k)
	stored.ETag = got.header.Get("ETag")
	return pointer(stored, err)
}

// KeyringChange is a new keyring for a box, made by package client/keys.
type KeyringChange struct {
	Head       []byte
	Chain      []byte
	Signature  []byte
	Recipients []KeyringRecipient
	// Remove lists the names of the members to remove. The server removes these members from the box in the transaction
	// that stores the keyring. If Remove is not empty, the new keyring must have a new key.
	Remove []string
	// If Reset is set, the caller need not be a recipient of the stored keyring. Set Reset to replace a keyring that no
	// member can open. Only the box's owner and admins may set Reset.
	Reset bool
	// IfMatch is the ETag of the keyring to replace; "" means that the box has none.
	IfMatch string
}

// KeyringWritten is the result of WriteKeyring.
type KeyringWritten struct {
	KeyID    string `json:"keyId"`
	Sequence uint64 `json:"sequence"`
	ETag     string `json:"-"`
}

// WriteKeyring stores a keyring. The caller must have the role boxadmin. If the caller is not a recipient of the stored
// keyring, WriteKeyring returns ErrNotRecipient unless Reset is set. WriteKeyring returns ErrPrecondition if the ETag
// of the stored keyring differs from IfMatch. It returns ErrRecipientStale if a recipient is not an active member or
// has replaced the identity that the new keyring names.
func (c *Client) WriteKeyring(ctx context.Context, box string, change KeyringChange) (*KeyringWritten, error) {
	type recipient struct {
		UserID      string `json:"userId"`
		Fingerprint string `json:"fingerprint"`
		Wrapped     Base64 `json:"wrapped"`
	}
	recipients := make([]recipient, len(change.Recipients))
	for i, each := range change.Recipients {
		recipients[i] = recipient{each.UserID, each.Fingerprint, each.Wrapped}
	}
	k := put(keyringPath, struct {
		Head       Base64      `json:"head"`
		Chain      Base64      `json:"chain"`
		Signature  Base64      `json:"signature"`
		Recipients []recipient `json:"recipients"`
		Remove     []string    `json:"remove,omitempty"`
		Reset      bool        `json:"reset,omitempty"`
	}{change.Head, change.Chain, change.Signature, recipients, change.Remove, change.Reset}, box)
	k.want, k.header = http.StatusOK, http.Header{}
	if change.IfMatch == "" {
		k.want = http.StatusCreated
		k.header.Set("If-None-Match", "*")
	} else {
		k.header.Set("If-Match", change.IfMatch)
	}
	got, err := c.do(ctx, k)
	if err != nil {
		return nil, err
	}
	written, err := decode[KeyringWritten](got, k)
	written.ETag = got.header.Get("ETag")
	return pointer(written, err)
}
