package domain

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/sha256"
	"crypto/subtle"
	"strings"
	"time"
)

// FORMAT of a public identity. The sign | concatenates bytes. A number at the end of a name is the length of the value
// in bytes.
//
//	public1249  = version u8 = 1 | X-Wing public key (MLKEM768-X25519, 1216 bytes) | Ed25519 public key (32 bytes)
//	fingerprint = SHA-256("lockbox/v1/fingerprint" | public1249)
//	text        = "lbpk1_" | base64url(public1249), canonical |
//	              first 6 characters of base64url(SHA-256("lbpk1" | public1249))
const (
	publicIdentityVersion = 1
	publicIdentityPrefix  = "lbpk1_"
	publicIdentityDigits  = 1666 // 1249 bytes in base64url without padding
	wrapKeyBytes          = 1216
	publicIdentityBytes   = 1 + wrapKeyBytes + ed25519.PublicKeySize
	fingerprintLabel      = "lockbox/v1/fingerprint"
)

// IdentitySeedPrefix begins the written form of an identity's seed. The server must never receive a seed; it refuses
// credentials that contain this text.
const IdentitySeedPrefix = "lbid1_"

const (
	// MaxIdentities is the maximum number of public keys of a user, including earlier ones. Lockbox stores each key
	// permanently.
	MaxIdentities = 100
	// MaxLockedBytes is the maximum length of a locked identity, in bytes.
	MaxLockedBytes = 512
	// RecentSignIn is the time after a sign-in with a password during which the user may change an identity.
	RecentSignIn = 10 * time.Minute
)

// Fingerprint identifies a public identity.
type Fingerprint [sha256.Size]byte

// String returns the base64url of all bytes: 43 characters.
func (f Fingerprint) String() string { return canonical.EncodeToString(f[:]) }

// IsZero reports whether the fingerprint is not set.
func (f Fingerprint) IsZero() bool { return f == Fingerprint{} }

// ParseFingerprint parses the text that String returns; ok is false if text does not have this form.
func ParseFingerprint(text string) (fingerprint Fingerprint, ok bool) {
	raw, ok := ParseBytes(text)
	if !ok || len(raw) != len(fingerprint) {
		return Fingerprint{}, false
	}
	return Fingerprint(raw), true
}

// PublicIdentity is the pair of public keys of a user. The first key wraps box keys for the user. The second key
// verifies the user's signatures.
type PublicIdentity [publicIdentityBytes]byte

// ParsePublicIdentity parses the text of a public identity. It also performs one key encapsulation with the wrapping
// key. Otherwise a malformed key could be stored, and every later change of a box key would fail. Errors: Invalid with
// code identity_invalid.
func ParsePublicIdentity(text string) (PublicIdentity, error) {
	body, found := strings.CutPrefix(text, publicIdentityPrefix)
	if !found || len(body) != publicIdentityDigits+generatedKeyChecksum {
		return PublicIdentity{}, identityInvalid("the public identity must be lbpk1_ followed by 1672 characters")
	}
	raw, err := canonical.DecodeString(body[:publicIdentityDigits])
	if err != nil || len(raw) != publicIdentityBytes {
		return PublicIdentity{}, identityInvalid("the public identity is not canonical base64url after lbpk1_")
	}
	public := PublicIdentity(raw)
	if subtle.ConstantTimeCompare([]byte(public.checksum()), []byte(body[publicIdentityDigits:])) != 1 {
		return PublicIdentity{}, identityInvalid(
			"the public identity is damaged: a character is wrong, missing or added")
	}
	if public[0] != publicIdentityVersion {
		return PublicIdentity{}, identityInvalid("the public identity has an unknown version")
	}
	return public, public.encapsulate()
}

// encapsulate returns an error if no box key can be wrapped for the identity.
func (p PublicIdentity) encapsulate() error {
	malformed := identityInvalid(
		"the public identity contains a malformed key: no box key can be wrapped for this identity")
	key, err := hpke.MLKEM768X25519().NewPublicKey(p[1 : 1+wrapKeyBytes])
	if err != nil {
		return malformed
	}
	if _, _, err := hpke.NewSender(key, hpke.HKDFSHA256(), hpke.AES256GCM(), nil); err != nil {
		return malformed
	}
	return nil
}

func identityInvalid(message string) error {
	return InvalidField("public", "identity_invalid", message)
}

// RestorePublicIdentity rebuilds a public identity from storage.
func RestorePublicIdentity(raw []byte) (public PublicIdentity) {
	copy(public[:], raw)
	return public
}

// String returns the written form.
func (p PublicIdentity) String() string {
	return publicIdentityPrefix + canonical.EncodeToString(p[:]) + p.checksum()
}

func (p PublicIdentity) checksum() string {
	sum := sha256.Sum256(append([]byte("lbpk1"), p[:]...))
	return canonical.EncodeToString(sum[:])[:generatedKeyChecksum]
}

// Fingerprint returns the identifier of the public identity.
func (p PublicIdentity) Fingerprint() Fingerprint {
	return sha256.Sum256(append([]byte(fingerprintLabel), p[:]...))
}

// Verify reports whether the identity signed the message.
func (p PublicIdentity) Verify(message, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(p[1+wrapKeyBytes:], message, signature)
}

// Identity is a public identity that a user has or had.
type Identity struct {
	User UserID
	// Name is empty if the user was deleted.
	Name        UserName
	Public      PublicIdentity
	Fingerprint Fingerprint
	// Current is false if the user has replaced the identity.
	Current   bool
	CreatedAt time.Time
}

// NewIdentity returns a current identity.
func NewIdentity(user UserID, public PublicIdentity, now time.Time) Identity {
	return Identity{
		User:        user,
		Public:      public,
		Fingerprint: public.Fingerprint(),
		Current:     true,
		CreatedAt:   now,
	}
}

// ParseLockedIdentity parses the text of a locked identity: canonical base64url of at most MaxLockedBytes. The server
// cannot check more, because the contents are encrypted.
func ParseLockedIdentity(text string) ([]byte, error) {
	locked, ok := ParseBytes(text)
	if !ok || len(locked) == 0 || len(locked) > MaxLockedBytes {
		return nil, InvalidField("locked", "locked_identity_invalid",
			"the field locked must contain 1 to 512 bytes in base64url without padding")
	}
	return locked, nil
}

// FormatBytes writes bytes in the only spelling that the parsers of this package accept: base64url without padding.
func FormatBytes(raw []byte) string { return canonical.EncodeToString(raw) }

// ParseBytes parses the text that FormatBytes returns; ok is false if text does not have this form.
func ParseBytes(text string) (raw []byte, ok bool) {
	raw, err := canonical.DecodeString(text)
	return raw, err == nil && len(text) == canonical.EncodedLen(len(raw)) // the decoder skips line ends
}
