package domain

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"time"
)

// Digest is the result of SHA-256 or HMAC-SHA256.
type Digest [sha256.Size]byte

// IsZero reports whether the digest is not set.
func (d Digest) IsZero() bool { return d == Digest{} }

// Equal compares digests in constant time.
func (d Digest) Equal(other Digest) bool { return subtle.ConstantTimeCompare(d[:], other[:]) == 1 }

// OpaqueToken is a token that is not signed: the id of its user and 16 random bytes. Only a keyed digest of the token
// is stored. The digest covers the id, so an attacker who can write to the database cannot assign the token to another
// user.
type OpaqueToken [32]byte

// NewOpaqueToken returns a new token of a user.
func NewOpaqueToken(user UserID) OpaqueToken {
	var token OpaqueToken
	copy(token[:], user[:])
	_, _ = rand.Read(token[len(user):]) // never fails: crypto/rand ends the program instead
	return token
}

// User returns the user that the token claims to belong to. Only a lookup of its digest proves the claim.
func (t OpaqueToken) User() UserID { return UserID(t[:len(UserID{})]) }

// String returns the token's 64 lower-case hexadecimal digits. It is as secret as a password.
func (t OpaqueToken) String() string { return hex.EncodeToString(t[:]) }

// ParseOpaqueToken parses 64 lower-case hexadecimal digits; ok is false if text is not of this form. Every token
// therefore has exactly one spelling.
func ParseOpaqueToken(text string) (token OpaqueToken, ok bool) {
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != len(token) || hex.EncodeToString(raw) != text {
		return OpaqueToken{}, false
	}
	return OpaqueToken(raw), true
}

// FamilyID identifies a TokenFamily.
type FamilyID = ID[TokenFamily]

// TokenFamily is a sign-in with a TOTP code. The sign-in returns the first pair of an access token and a refresh token.
// Each refresh replaces the pair with the next one.
type TokenFamily struct {
	ID   FamilyID
	User UserID
	// Epoch is the user's SessionEpoch at sign-in; see Session.Epoch.
	Epoch int64
	// Keys are the server keys on which the digests of the family's tokens depend. The family becomes invalid when one
	// of these keys is replaced.
	Keys      TokenKeys
	CreatedAt time.Time
	// ExpiresAt is when the family expires. A refresh does not extend it.
	ExpiresAt time.Time
	// RevokedAt is zero while the family is valid.
	RevokedAt time.Time
}

// TokenKeys are the server keys on which the digest of an opaque token depends. Replacing the session key ends the
// sign-ins of both APIs. Replacing the token key ends only the sign-ins of the accounts API.
type TokenKeys struct{ Session, Token ServerKeyID }

// NewTokenFamily returns a family that expires after ttl. The time of the expiry is rounded down to a whole second.
func NewTokenFamily(id FamilyID, user User, now time.Time, ttl time.Duration) TokenFamily {
	return TokenFamily{
		ID:        id,
		User:      user.ID,
		Epoch:     user.SessionEpoch,
		CreatedAt: now,
		ExpiresAt: now.Add(ttl).Truncate(time.Second),
	}
}

// TokenPair is the stored part of two tokens: an access token, and the refresh token that a client exchanges for the
// next pair.
type TokenPair struct {
	// ID identifies the pair. It is also the CredentialID of the access token.
	ID              CredentialID
	Family          FamilyID
	Access, Refresh Digest
	CreatedAt       time.Time
	AccessExpiresAt time.Time
	// SpentAt is when the refresh token was used. It is zero until then. The use also revokes the access token.
	SpentAt time.Time
}

// NextPair returns the next pair of the family. The access token of the pair expires after ttl, but no later than the
// family. The lifetime of the access token is rounded down to a whole second. The keys argument contains the present
// server keys. NextPair returns ErrRefreshToken in these cases:
//
//   - The family has expired or was revoked.
//   - The user of the family is inactive, or the sessions of the user were revoked.
//   - A server key of the family was replaced.
func (f TokenFamily) NextPair(pair TokenPair, user User, keys TokenKeys, now time.Time,
	ttl time.Duration) (TokenPair, error) {
	life := min(ttl, f.ExpiresAt.Sub(now)).Truncate(time.Second)
	if life <= 0 || !f.RevokedAt.IsZero() || !user.Active || user.ID != f.User || user.SessionEpoch != f.Epoch ||
		keys != f.Keys {
		return TokenPair{}, ErrRefreshToken
	}
	pair.Family, pair.CreatedAt, pair.AccessExpiresAt = f.ID, now, now.Add(life)
	return pair, nil
}

// Life returns the lifetime of the access token, from its creation to its expiry.
func (p TokenPair) Life() time.Duration { return p.AccessExpiresAt.Sub(p.CreatedAt) }
