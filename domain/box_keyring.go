package domain

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// FORMAT of a keyring. Integers are big endian. part(x) is the length of x as u32, followed by x. The identifiers of
// the installation, the box and users are the 16 bytes of their UUIDs.
//
//	key id16  = HKDF-Expand-SHA256(box key, "lockbox/v1/key-id", 16)
//	wrapped   = 1168 bytes: the box key, encrypted with HPKE to a recipient
//	lines     = for each recipient, sorted by fingerprint: user id16 | fingerprint32 | SHA-256(wrapped)
//	head      = part("lockbox/v1/keyring") | part(installation) | part(box id) | mode u8 | sequence u64 | key id16 |
//	            author's fingerprint32 | SHA-256(lines)
//	chain     = all earlier keys of the box, encrypted under the box key: 80 bytes and 32 for each key
//	signature = Ed25519(author, part("lockbox/v1/keyring/signature") | head | chain)
//
// The server holds no box key. It can therefore check the head, the lines and the signature, but it cannot check the
// wrapped keys and the chain.
const (
	keyIDInfo            = "lockbox/v1/key-id"
	keyringLabel         = "lockbox/v1/keyring"
	keyringSignLabel     = "lockbox/v1/keyring/signature"
	wrappedKeyBytes      = 1168
	chainOverhead        = 80
	chainKeyBytes        = 32
	modeServerEncryption = 0
)

const (
	// MaxKeyRecipients is the maximum number of recipients of a keyring.
	MaxKeyRecipients = 1000
	// MaxChainKeys is the maximum number of earlier keys in a chain.
	MaxChainKeys = 4096
	// MaxSequenceStep is the largest difference between the sequence numbers of successive keyrings. A restored
	// database may lack the newest keyrings. A client that remembers a lost keyring continues from the sequence number
	// of that keyring, so a gap must be allowed.
	MaxSequenceStep = 1000
	// KeptKeyrings is the number of keyrings that a box keeps regardless of their age. These are the newest keyrings.
	KeptKeyrings = 10
)

// KeyID identifies a box key without revealing it. The zero KeyID stands for no key.
type KeyID [16]byte

// IsZero reports whether there is no key.
func (k KeyID) IsZero() bool { return k == KeyID{} }

// String returns 22 characters of base64url, or "" for the zero KeyID.
func (k KeyID) String() string {
	if k.IsZero() {
		return ""
	}
	return canonical.EncodeToString(k[:])
}

// ID returns the identifier of a generated key. A passphrase or an unusable key has no identifier: ID returns zero.
func (k EncryptionKey) ID() KeyID {
	if !k.generated || k.unusable != nil {
		return KeyID{}
	}
	raw, err := hkdf.Expand(sha256.New, k.Bytes(), keyIDInfo, len(KeyID{}))
	if err != nil {
		return KeyID{} // unreachable: the length is in the limits of HKDF
	}
	return KeyID(raw)
}

// KeyringHead contains the properties of a keyring. Both the encryption of the chain and the signature of the author
// authenticate the head.
type KeyringHead struct {
	Installation InstallationID
	Box          BoxID
	// Mode is the encryption mode of the box; 0 is server encryption.
	Mode     uint8
	Sequence uint64
	Key      KeyID
	Author   Fingerprint
	// Lines is the digest of the recipients.
	Lines [sha256.Size]byte
}

// ParseKeyringHead parses the bytes of a head. It accepts only bytes that the method Bytes could return. Errors:
// Invalid with code keyring_invalid.
func ParseKeyringHead(raw []byte) (KeyringHead, error) {
	var head KeyringHead
	malformed := keyringInvalid("head", "the field head does not have the format of a keyring head")
	if len(raw) != len(head.Bytes()) {
		return KeyringHead{}, malformed
	}
	fixed := len(appendPart(nil, []byte(keyringLabel)))
	rest := raw[fixed:]
	next := func(to []byte) {
		copy(to, rest)
		rest = rest[len(to):]
	}
	var length [4]byte
	next(length[:])
	next(head.Installation[:])
	next(length[:])
	next(head.Box[:])
	head.Mode, rest = rest[0], rest[1:]
	head.Sequence, rest = binary.BigEndian.Uint64(rest), rest[8:]
	next(head.Key[:])
	next(head.Author[:])
	next(head.Lines[:])
	if !bytes.Equal(head.Bytes(), raw) { // the label or a length differs
		return KeyringHead{}, malformed
	}
	return head, nil
}

// Bytes returns the head in its binary format.
func (h KeyringHead) Bytes() []byte {
	raw := appendPart(nil, []byte(keyringLabel))
	raw = appendPart(raw, h.Installation[:])
	raw = appendPart(raw, h.Box[:])
	raw = append(raw, h.Mode)
	raw = binary.BigEndian.AppendUint64(raw, h.Sequence)
	raw = append(raw, h.Key[:]...)
	raw = append(raw, h.Author[:]...)
	return append(raw, h.Lines[:]...)
}

// appendPart appends part(x): the length of x as u32, followed by x.
func appendPart(to, x []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(x))) //nolint:gosec // labels, identifiers and heads are short
	return append(to, x...)
}

// KeyRecipient is a user for whom a box key is wrapped.
type KeyRecipient struct {
	User UserID
	// Name is set only for recipients from storage. It is empty if the user was deleted.
	Name        UserName
	Fingerprint Fingerprint
	// Wrapped may be nil in a recipient that was read from storage.
	Wrapped []byte
}

// BoxKeyring is the keyring of a box. It contains the current box key, wrapped for each recipient, and all earlier keys
// of the box.
type BoxKeyring struct {
	KeyringHead
	Chain     []byte
	Signature []byte
	// Recipients are sorted by fingerprint. In a keyring that was read from storage, the recipients may be absent.
	Recipients []KeyRecipient
	CreatedAt  time.Time
}

// NewBoxKeyring parses a keyring from a client, and sorts its recipients. It checks everything that can be checked
// without the database, except the signature. Errors: Invalid with code keyring_invalid and the field that is wrong.
func NewBoxKeyring(head, chain, signature []byte, recipients []KeyRecipient) (BoxKeyring, error) {
	parsed, err := ParseKeyringHead(head)
	if err != nil {
		return BoxKeyring{}, err
	}
	keyring := BoxKeyring{
		KeyringHead: parsed,
		Chain:       chain,
		Signature:   signature,
		Recipients:  slices.Clone(recipients),
	}
	slices.SortFunc(keyring.Recipients, func(a, b KeyRecipient) int {
		return bytes.Compare(a.Fingerprint[:], b.Fingerprint[:])
	})
	return keyring, keyring.checkParts()
}

// checkParts checks the lengths and the recipients.
func (k BoxKeyring) checkParts() error {
	switch keys := len(k.Chain) - chainOverhead; {
	case k.Mode != modeServerEncryption:
		return keyringInvalid("head", "the encryption mode in the field head must be 0")
	case k.Sequence == 0 || k.Sequence > 1<<62:
		return keyringInvalid("head", "the sequence in the field head must be from 1 to 2^62")
	case k.Key.IsZero():
		return keyringInvalid("head", "the key id in the field head must not be zero")
	case keys < 0 || keys%chainKeyBytes != 0 || keys/chainKeyBytes > MaxChainKeys:
		return keyringInvalid("chain",
			"the field chain must have 80 bytes plus 32 bytes for each earlier key, of which 4096 are allowed")
	case len(k.Recipients) == 0 || len(k.Recipients) > MaxKeyRecipients:
		return keyringInvalid("recipients", "a keyring must have 1 to 1000 recipients")
	}
	for i, recipient := range k.Recipients {
		if len(recipient.Wrapped) != wrappedKeyBytes {
			return keyringInvalid("recipients", "each wrapped key must have 1168 bytes")
		}
		if i > 0 && recipient.Fingerprint == k.Recipients[i-1].Fingerprint {
			return keyringInvalid("recipients", "two recipients have the same fingerprint")
		}
	}
	if k.linesDigest() != k.Lines {
		return keyringInvalid("recipients", "the digest in the field head does not match the recipients")
	}
	return nil
}

// linesDigest returns the digest of the recipients. They must be sorted, and their wrapped keys must be present.
func (k BoxKeyring) linesDigest() [sha256.Size]byte {
	lines := sha256.New()
	for _, recipient := range k.Recipients {
		wrapped := sha256.Sum256(recipient.Wrapped)
		_, _ = lines.Write(recipient.User[:])
		_, _ = lines.Write(recipient.Fingerprint[:])
		_, _ = lines.Write(wrapped[:])
	}
	return [sha256.Size]byte(lines.Sum(nil))
}

// Tag returns a digest of the whole keyring. The digest covers the recipients too, because the head contains a digest
// of the recipients.
func (k BoxKeyring) Tag() Digest {
	all := appendPart(nil, k.KeyringHead.Bytes())
	all = appendPart(all, k.Chain)
	return sha256.Sum256(appendPart(all, k.Signature))
}

// HasRecipient reports whether a user is a recipient. The key may be wrapped for the user's present identity or for an
// earlier one.
func (k BoxKeyring) HasRecipient(user UserID) bool {
	return slices.ContainsFunc(k.Recipients, func(r KeyRecipient) bool { return r.User == user })
}

func keyringInvalid(field, message string) error {
	return InvalidField(field, "keyring_invalid", message)
}
