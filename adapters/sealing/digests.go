package sealing

import (
	"crypto/hmac"
	"crypto/sha256"

	"github.com/lockbox-go/lockbox/domain"
)

// Digests makes digests under the server's key of purpose throttle: HMAC-SHA256 over length-prefixed parts, so that no
// two lists of parts give the same bytes. It implements ports.Digests.
type Digests struct{ keys *Keyring }

// NewDigests makes digests under the keys of a ring.
func NewDigests(keys *Keyring) *Digests { return &Digests{keys} }

// Digest returns the digest of a label and its parts under the current key; it does no I/O. See ports.Digests. A new
// key makes new digests, and so begins all counts anew.
func (d *Digests) Digest(label string, parts ...string) domain.Digest {
	_, key := d.keys.Current(domain.KeyForThrottle)
	defer clear(key[:])
	message := appendPart(nil, label)
	for _, part := range parts {
		message = appendPart(message, part)
	}
	mac := hmac.New(sha256.New, key[:])
	_, _ = mac.Write(message) // never fails
	return domain.Digest(mac.Sum(nil))
}
