package tokens

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// maxVerified is the number of tokens that a Signer remembers. An entry takes about 300 bytes.
const maxVerified = 4096

// verifiedTokens remembers tokens whose signature and claims were valid. A client sends the same token with each
// request, and a lookup costs a tenth of a verification. An entry replaces only the checks whose result never changes.
// The caller repeats the checks whose result can change: the expiry, and the key that signed the token. Each request
// also reads from the database whether the credential is revoked.
//
// The map is indexed by the digest of the whole token, including its signature. No other token therefore finds the
// entry, and the time of a lookup reveals nothing about tokens that a client does not have. verifiedTokens is safe for
// concurrent use.
type verifiedTokens struct {
	mu    sync.RWMutex // guards items
	items map[tokenDigest]verifiedToken
}

type tokenDigest [sha256.Size]byte

// verifiedToken is the content of a valid token.
type verifiedToken struct {
	credential domain.Credential
	purpose    domain.KeyPurpose
	key        domain.ServerKeyID
	// expiresAt is zero for a token that does not expire.
	expiresAt time.Time
}

// expired reports whether the token has expired at the given time.
func (t *verifiedToken) expired(now time.Time) bool {
	return !t.expiresAt.IsZero() && !now.Before(t.expiresAt)
}

func newVerifiedTokens() *verifiedTokens {
	return &verifiedTokens{items: make(map[tokenDigest]verifiedToken)}
}

func (v *verifiedTokens) get(digest tokenDigest) (verifiedToken, bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	item, ok := v.items[digest]
	return item, ok
}

// add remembers a token. If maxVerified tokens are remembered, add first forgets all of them. This costs little,
// because each forgotten token only has to be verified once more.
func (v *verifiedTokens) add(digest tokenDigest, item verifiedToken) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.items) >= maxVerified {
		clear(v.items)
	}
	v.items[digest] = item
}
