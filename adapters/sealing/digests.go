package sealing

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/lockbox-go/lockbox/domain"
)

// Digests computes keyed digests of names and addresses. The rate limits have a counter for each name and each address,
// and the database stores only the digests. A digest is the HMAC-SHA256 of a list of parts. The key of this HMAC is the
// server key for the purpose "throttle". Each part has a length prefix, so different lists of parts never have the same
// encoding. Digests implements ports.Digests and is safe for concurrent use.
type Digests struct{ keys *Keyring }

// NewDigests returns Digests that use the given key ring.
func NewDigests(keys *Keyring) *Digests { return &Digests{keys} }

// Digest returns the digest of a label and its parts under the current key. See ports.Digests. It performs no I/O. A
// new server key changes all digests, and this resets all counters.
func (d *Digests) Digest(label string, parts ...string) domain.Digest {
	_, key := d.keys.Current(domain.KeyForThrottle)
	defer clear(key[:])
	return keyedDigest(&key, label, parts...)
}

// keyedDigest computes HMAC-SHA256 with the given key. The message consists of the label and the parts, each with its
// length as a prefix.
func keyedDigest(key *[keyBytes]byte, label string, parts ...string) domain.Digest {
	message := appendPart(nil, label)
	for _, part := range parts {
		message = appendPart(message, part)
	}
	mac := hmac.New(sha256.New, key[:])
	_, _ = mac.Write(message) // hash.Hash never returns an error
	return domain.Digest(mac.Sum(nil))
}
