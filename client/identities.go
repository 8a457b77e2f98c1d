package client

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"
)

const (
	identityPath   = "/users/{username}/identity"
	lockedPath     = "/users/{username}/identity/locked"
	identitiesPath = "/identities/{fingerprint}"

	// identityMark begins the text of every identity. An identity must never leave the machine unencrypted.
	identityMark = "lbid1_"
)

// Base64 is a byte slice whose JSON form is a string in canonical base64url without padding.
type Base64 []byte

// MarshalText implements encoding.TextMarshaler.
func (b Base64) MarshalText() ([]byte, error) { return []byte(canonical.EncodeToString(b)), nil }

// UnmarshalText implements encoding.TextUnmarshaler. It accepts only the spelling that MarshalText produces.
func (b *Base64) UnmarshalText(text []byte) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(string(text))
	if err != nil || strings.ContainsAny(string(text), "\r\n") {
		return errors.New("client: the text must be canonical base64url without padding")
	}
	*b = raw
	return nil
}

// PublicIdentity is the public part of an identity. Package client/keys parses and verifies it.
type PublicIdentity struct {
	// User is the name of the user. It is empty if the user was deleted.
	User   string `json:"user"`
	UserID string `json:"userId"`
	// Public is the public key, "lbpk1_…".
	Public string `json:"public"`
	// Fingerprint is the fingerprint of Public, as 43 characters of base64url.
	Fingerprint string    `json:"fingerprint"`
	CreatedAt   time.Time `json:"createdAt"`
	// Locked is true if the server keeps a locked copy of the identity. In responses to other users, Locked is always
	// false.
	Locked bool `json:"locked"`
}

// NewIdentity is the input of WriteIdentity.
type NewIdentity struct {
	// Public is the public key, "lbpk1_…".
	Public string
	// Locked is the whole identity, encrypted under a passphrase. If Locked is empty, the server keeps no locked
	// identity.
	Locked []byte
}

// WriteIdentity stores a user's public key, and replaces the previous one. Users may call WriteIdentity only for
// themselves, in a session that began with a password within the last ten minutes. For an older session or another kind
// of token, WriteIdentity returns ErrRecentSignInRequired. It returns ErrIdentityTaken if another user has or had the
// identity. If the user is a recipient of keyrings, the user loses access to them until a member grants access to the
// new identity.
func (c *Client) WriteIdentity(ctx context.Context, username string, identity NewIdentity) (*PublicIdentity, error) {
	k := put(identityPath, struct {
		Public string `json:"public"`
		Locked Base64 `json:"locked,omitempty"`
	}{identity.Public, identity.Locked}, username)
	k.want, k.orWant = http.StatusCreated, http.StatusOK
	return pointer(fetch[PublicIdentity](ctx, c, k))
}

// DescribeIdentity returns the current identity of a user. It returns ErrNotFound (identity_not_found) if the user has
// no identity. Every user may call DescribeIdentity.
func (c *Client) DescribeIdentity(ctx context.Context, username string) (*PublicIdentity, error) {
	return pointer(fetch[PublicIdentity](ctx, c, get(identityPath, username)))
}

// FindIdentity returns the identity that has the given fingerprint. It also finds former identities. Every user may
// call FindIdentity.
func (c *Client) FindIdentity(ctx context.Context, fingerprint string) (*PublicIdentity, error) {
	return pointer(fetch[PublicIdentity](ctx, c, get(identitiesPath, fingerprint)))
}

// WriteLockedIdentity replaces the locked copy of the user's current identity, for example after a change of the
// passphrase. Users may call WriteLockedIdentity only for themselves, and only after a recent sign-in; see
// WriteIdentity.
func (c *Client) WriteLockedIdentity(ctx context.Context, username string, locked []byte) error {
	return c.run(ctx, put(lockedPath, map[string]Base64{"locked": locked}, username))
}

// LockedIdentity is an identity that is locked under a passphrase.
type LockedIdentity struct {
	Locked      Base64 `json:"locked"`
	Fingerprint string `json:"fingerprint"`
}

// ReadLockedIdentity returns the user's own locked identity. It requires a recent sign-in; see WriteIdentity. For an
// API key, it returns ErrRecentSignInRequired. It returns ErrNotFound (locked_identity_not_found) if the server keeps
// no locked identity of the user. The server deletes the locked identity when, for example, an admin sets the user's
// password. The server audits every read.
func (c *Client) ReadLockedIdentity(ctx context.Context, username string) (*LockedIdentity, error) {
	return pointer(fetch[LockedIdentity](ctx, c, get(lockedPath, username)))
}

// DeleteLockedIdentity deletes the user's own locked identity from the server. The identity itself stays valid.
func (c *Client) DeleteLockedIdentity(ctx context.Context, username string) error {
	return c.run(ctx, remove(lockedPath, "locked_identity_not_found", username))
}

// The exposes method returns an error if a request contains an identity in any part that the server or a proxy would
// see.
func (c *Client) exposes(p *preparedCall) *Error {
	texts := []string{p.url, c.config.UserAgent}
	if !p.anonymous {
		texts = append(texts, c.config.Token.Reveal())
	}
	for _, values := range p.header {
		texts = append(texts, values...)
	}
	for _, text := range texts {
		if strings.Contains(strings.ToLower(text), identityMark) {
			return identityExposed(p)
		}
	}
	if strings.Contains(string(p.payload), identityMark) {
		return identityExposed(p)
	}
	return nil
}

func identityExposed(p *preparedCall) *Error {
	failure := NewKeyError(ErrIdentityExposed,
		"the request was not sent, because it contains an identity (lbid1_…); "+
			"an identity must not leave this machine: "+
			"check whether a token, a name or a value was set to an identity", nil)
	failure.Request = p.name()
	failure.kinds = append(failure.kinds, ErrInvalid)
	return failure
}

// pointer returns the address of a result, or nil on an error.
func pointer[T any](result T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &result, nil
}
