package domain

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// Digest is a SHA-256, or an HMAC with it.
type Digest [sha256.Size]byte

// IsZero reports whether the digest was never set.
func (d Digest) IsZero() bool { return d == Digest{} }

// OpaqueToken is 32 random bytes that somebody holds. What is kept of it is its digest, from which nobody gets it back.
type OpaqueToken [32]byte

// String returns the token's 64 lower-case hexadecimal digits. It is as secret as a password.
func (t OpaqueToken) String() string { return hex.EncodeToString(t[:]) }

// Digest returns what is kept of the token.
func (t OpaqueToken) Digest() Digest { return sha256.Sum256(t[:]) }

// ParseOpaqueToken reads 64 lower-case hexadecimal digits; ok is false for anything else, so that a token has one
// spelling.
func ParseOpaqueToken(text string) (token OpaqueToken, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(token) || hex.EncodeToString(raw) != text {
		return OpaqueToken{}, false
	}
	return OpaqueToken(raw), true
}

// FamilyID identifies a TokenFamily, PairID a pair of it, which is the id of its access token as a credential.
type FamilyID = ID[TokenFamily]

// TokenFamily is a sign-in whose tokens are opaque: a pair of access and refresh token, and the pairs that took its
// place one after another.
type TokenFamily struct {
	ID   FamilyID
	User UserID
	// Epoch is the user's SessionEpoch at sign-in, as with a Session.
	Epoch     int64
	CreatedAt time.Time
	// ExpiresAt is when the last pair ends, however often it was refreshed.
	ExpiresAt time.Time
	RevokedAt time.Time
}

// NewTokenFamily makes a family of user that ends after ttl, to the whole second.
func NewTokenFamily(id FamilyID, user User, now time.Time, ttl time.Duration) TokenFamily {
	return TokenFamily{
		ID:        id,
		User:      user.ID,
		Epoch:     user.SessionEpoch,
		CreatedAt: now,
		ExpiresAt: now.Add(ttl).Truncate(time.Second),
	}
}

// TokenPair is an access token and the refresh token that is spent to get the next pair, by their digests.
type TokenPair struct {
	ID              CredentialID
	Family          FamilyID
	Access, Refresh Digest
	CreatedAt       time.Time
	AccessExpiresAt time.Time
	SpentAt         time.Time
}

// NextPair makes a pair whose access token lives for ttl, but no longer than the family, in whole seconds from now. It
// refuses when the family has ended, was revoked, or is of an earlier epoch than the user, who must be active.
func (f TokenFamily) NextPair(pair TokenPair, user User, now time.Time, ttl time.Duration) (TokenPair, error) {
	life := min(ttl, f.ExpiresAt.Sub(now)).Truncate(time.Second)
	if life <= 0 || !f.RevokedAt.IsZero() || !user.Active || user.ID != f.User || user.SessionEpoch != f.Epoch {
		return TokenPair{}, ErrRefreshToken
	}
	pair.Family, pair.CreatedAt, pair.AccessExpiresAt = f.ID, now, now.Add(life)
	return pair, nil
}

// Life returns for how long the access token was made.
func (p TokenPair) Life() time.Duration { return p.AccessExpiresAt.Sub(p.CreatedAt) }
