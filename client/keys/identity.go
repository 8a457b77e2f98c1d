package keys

import (
	"crypto/ed25519"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"slices"

	"github.com/lockbox-go/lockbox/client"
)

const (
	identityForm     = "lbid1_"
	publicForm       = "lbpk1_"
	hpkeInfo         = "lockbox/v1/identity/hpke"
	signInfo         = "lockbox/v1/identity/sign"
	fingerprintLabel = "lockbox/v1/fingerprint"

	publicVersion = 1
	hpkePublicLen = 1216
	publicLen     = 1 + hpkePublicLen + ed25519.PublicKeySize
	wrappedLen    = 1120 + keyLen + tagLen // the encapsulated key of X-Wing, and the sealed box key
)

// Identity is the key pair of a user. It opens the box keys that were wrapped for the user, and signs the keyrings that
// the user makes. It does not print. An Identity is safe for concurrent use.
type Identity struct {
	seed   secret
	hpke   func() hpke.PrivateKey
	sign   func() ed25519.PrivateKey
	public PublicKey
}

// GenerateIdentity returns a new identity. Lock the identity or store the text of Reveal. There is no other way to
// recover the identity after a loss.
func GenerateIdentity() *Identity {
	var seed [keyLen]byte
	_, _ = rand.Read(seed[:]) // crypto/rand.Read never returns an error
	return identityOf(seed)
}

// ParseIdentity parses the text of Reveal. It returns ErrIdentityInvalid for any other text, without repeating it.
func ParseIdentity(text string) (*Identity, error) {
	raw, ok := parseForm(identityForm, text, keyLen)
	if !ok {
		return nil, fault(client.ErrIdentityInvalid,
			"the identity is damaged: copy all 55 characters again, including lbid1_ at the beginning", nil)
	}
	return identityOf([keyLen]byte(raw)), nil
}

// identityOf derives both key pairs from the seed.
func identityOf(seed [keyLen]byte) *Identity {
	private, err := hpke.MLKEM768X25519().NewPrivateKey(expand(seed[:], hpkeInfo, keyLen))
	must(err)
	sign := ed25519.NewKeyFromSeed(expand(seed[:], signInfo, ed25519.SeedSize))
	id := &Identity{
		seed: secretOf(seed),
		hpke: func() hpke.PrivateKey { return private },
		sign: func() ed25519.PrivateKey { return sign },
	}
	id.public.raw[0] = publicVersion
	copy(id.public.raw[1:], private.PublicKey().Bytes())
	copy(id.public.raw[1+hpkePublicLen:], sign[ed25519.SeedSize:])
	return id
}

// Reveal returns the seed as "lbid1_…". The text is the identity itself: store it like a password.
func (id *Identity) Reveal() string { return writeForm(identityForm, id.seed.bytes()) }

// Public returns the public key.
func (id *Identity) Public() PublicKey { return id.public }

// Fingerprint returns the fingerprint of the public key.
func (id *Identity) Fingerprint() Fingerprint { return id.public.Fingerprint() }

// String returns a placeholder with the fingerprint.
func (id *Identity) String() string { return "identity " + id.Fingerprint().Display() }

// GoString returns the same text as String.
func (id *Identity) GoString() string { return id.String() }

// PublicKey is the public part of an identity. Its text form begins with "lbpk1_". Compare two public keys with ==.
type PublicKey struct{ raw [publicLen]byte }

// ParsePublicKey parses the text of PublicKey.String. It returns ErrIdentityInvalid for any other text and for a
// malformed key.
func ParsePublicKey(text string) (PublicKey, error) {
	raw, ok := parseForm(publicForm, text, publicLen)
	if !ok || raw[0] != publicVersion {
		return PublicKey{}, badPublicKey(nil)
	}
	key := PublicKey{[publicLen]byte(raw)}
	// Detect a malformed key by wrapping test bytes to it. No box key can be wrapped to a malformed key, so a recipient
	// with such a key would block every later key change.
	if _, err := key.wrap(nil, make([]byte, keyLen)); err != nil {
		return PublicKey{}, badPublicKey(err)
	}
	return key, nil
}

func badPublicKey(cause error) error {
	return fault(client.ErrIdentityInvalid,
		"the public key is damaged: copy the whole text that lockbox identity show prints, "+
			"including lbpk1_ at the beginning", cause)
}

// String returns the text form, "lbpk1_…".
func (p PublicKey) String() string { return writeForm(publicForm, p.raw[:]) }

// Fingerprint returns the fingerprint.
func (p PublicKey) Fingerprint() Fingerprint {
	return sha256.Sum256(slices.Concat([]byte(fingerprintLabel), p.raw[:]))
}

// wrap encrypts a box key to the public key.
func (p PublicKey) wrap(info, key []byte) ([]byte, error) {
	to, err := hpke.MLKEM768X25519().NewPublicKey(p.raw[1 : 1+hpkePublicLen])
	if err != nil {
		return nil, err
	}
	return hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), info, key)
}

// verify reports whether the owner of the public key signed the message.
func (p PublicKey) verify(message, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize &&
		ed25519.Verify(p.raw[1+hpkePublicLen:], message, signature)
}

// unwrap decrypts a box key that was wrapped to the identity.
func (id *Identity) unwrap(info, wrapped []byte) (BoxKey, bool) {
	if len(wrapped) != wrappedLen {
		return BoxKey{}, false
	}
	raw, err := hpke.Open(id.hpke(), hpke.HKDFSHA256(), hpke.AES256GCM(), info, wrapped)
	if err != nil || len(raw) != keyLen {
		return BoxKey{}, false
	}
	return BoxKey{secretOf([keyLen]byte(raw))}, true
}
