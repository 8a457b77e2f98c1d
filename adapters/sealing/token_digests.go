package sealing

import (
	"crypto/sha256"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// FORMAT of the stored digests (notation as in format.go), under the server key of purpose token:
//
//	opaque token   = HMAC-SHA256(part("opaque token") | part(id of the session key) | part(SHA-256 of the token))
//	recovery code  = HMAC-SHA256(part("recovery code") | part(user) | part(TOTP secret) | part(SHA-256 of the code))
//	invitation     = HMAC-SHA256(part("invitation") | part(term) …)

// TokenDigests computes the digests of opaque tokens, recovery codes and invitations. It implements ports.TokenDigests
// and is safe for concurrent use.
type TokenDigests struct{ keys *Keyring }

// NewTokenDigests returns TokenDigests that use the given key ring.
func NewTokenDigests(keys *Keyring) *TokenDigests { return &TokenDigests{keys} }

// Tokens returns the digests of opaque tokens. See ports.TokenDigests. Each digest depends on the id of the session
// key, so a new session key invalidates all tokens. The tokens stay invalid even if an attacker restores their deleted
// rows.
func (d *TokenDigests) Tokens(tokens ...domain.OpaqueToken) ([]domain.Digest, domain.TokenKeys) {
	session, _ := d.keys.Current(domain.KeyForSessions)
	id, key := d.keys.Current(domain.KeyForTokens)
	defer clear(key[:])
	digests := make([]domain.Digest, len(tokens))
	for i, token := range tokens {
		hash := sha256.Sum256(token[:])
		digests[i] = keyedDigest(&key, "opaque token", string(session[:]), string(hash[:]))
	}
	return digests, domain.TokenKeys{Session: session, Token: id}
}

// RecoveryCodes returns the digests of recovery codes. See ports.TokenDigests.
func (d *TokenDigests) RecoveryCodes(user domain.UserID, secret domain.TOTPID,
	hashes ...domain.Digest) ports.RecoveryCodes {
	id, key := d.keys.Current(domain.KeyForTokens)
	defer clear(key[:])
	digests := make([]domain.Digest, len(hashes))
	for i, hash := range hashes {
		digests[i] = keyedDigest(&key, "recovery code", string(user[:]), string(secret[:]), string(hash[:]))
	}
	return ports.RecoveryCodes{ServerKey: id, Digests: digests}
}

// Invitation returns the keyed digest of an invitation's terms, and the id of the server key that it used. See
// ports.TokenDigests.
func (d *TokenDigests) Invitation(terms ...string) (domain.Digest, domain.ServerKeyID) {
	id, key := d.keys.Current(domain.KeyForTokens)
	defer clear(key[:])
	return keyedDigest(&key, "invitation", terms...), id
}
