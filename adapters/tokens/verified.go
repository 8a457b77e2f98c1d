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
// request, and a lookup costs a tenth of a verification. For a remembered token, the caller skips only checks whose
// result never changes, such as the signature. The caller still checks the expiry of the token and whether the signing
// key is valid. Each request also reads from the database whether the credential is revoked.
//
// The key of the map is the digest of the whole token, including its signature. A lookup with any other token therefore
// finds nothing. The duration of a lookup reveals nothing about the tokens of other clients. verifiedTokens is safe for
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

// add remembers a token. If the map already has maxVerified tokens, add first deletes all of them. This costs little,
// because each deleted token only has to be verified once more.
func (v *verifiedTokens) add(digest tokenDigest, item verifiedToken) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.items) >= maxVerified {
		clear(v.items)
	}
	v.items[digest] = item
}
