package domain

import (
	"errors"
	"time"
)

// CredentialKind is the kind of a token. The set is closed.
type CredentialKind string

// The kinds of credentials.
const (
	// APIKeyCredential is an API key, for programs.
	APIKeyCredential CredentialKind = "api-key"
	// SessionCredential is a signed token from a sign-in with a password.
	SessionCredential CredentialKind = "session"
	// AccessTokenCredential is an opaque token from a sign-in with a TOTP code.
	AccessTokenCredential CredentialKind = "access-token"
	// RefreshTokenCredential is an opaque token that is exchanged for a new pair of tokens. The only other request that
	// accepts a refresh token is the one that revokes sessions.
	RefreshTokenCredential CredentialKind = "refresh-token"
)

// Credential contains the fields of a signed token whose signature is valid. For an opaque token, it contains only the
// digest of the token. Only a lookup in the database decides whether the credential is still valid; see [Caller].
type Credential struct {
	Kind CredentialKind
	// ID comes from the signed token. For an opaque token, it comes from the database.
	ID CredentialID
	// User is the user that the token names.
	User UserID
	// Digest is set only for an opaque token.
	Digest Digest
}

// IsZero reports whether there is no credential.
func (c Credential) IsZero() bool { return c.ID.IsZero() && c.Digest.IsZero() }

// ErrCredentialExpired is the Cause of an error that refuses an expired credential.
var ErrCredentialExpired = errors.New("the token has expired")

// Caller is the user who makes a request, with the credential of the request. The fields contain the present state of
// the user and of the credential in the database.
type Caller struct {
	UserID UserID
	Name   UserName
	Role   Role
	Active bool
	// Owner reports whether the user is the owner of the system.
	Owner      bool
	Group      Group
	Credential Credential
	// CredentialName is the name of an API key. It is empty for other credentials.
	CredentialName string
	// ExpiresAt is when the credential expires; zero means never.
	ExpiresAt time.Time
	// Operator reports whether the caller runs a command on the database. Such a caller has the owner's rights. UserID
	// is then zero.
	Operator bool
}

// Operator returns the caller of the commands that an operator runs on the database.
func Operator() Caller {
	return Caller{
		Name:     OperatorActor,
		Role:     RoleAdmin,
		Active:   true,
		Owner:    true,
		Group:    GroupOwner,
		Operator: true,
	}
}

// Authenticate refuses the zero Caller, an inactive user and a credential that has expired at the given time.
func (c Caller) Authenticate(now time.Time) error {
	switch {
	case c.UserID.IsZero() || !c.Active:
		return ErrUnauthenticated
	case !c.UsableAt(now):
		return ErrUnauthenticated.Because(ErrCredentialExpired)
	}
	return nil
}

// UsableAt reports whether the credential has not expired at the given time.
func (c Caller) UsableAt(now time.Time) bool {
	return c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)
}

// HasExpiringAPIKey reports whether the caller's credential is an API key that expires. Such a caller must not obtain a
// key that expires later than this API key.
func (c Caller) HasExpiringAPIKey() bool {
	return c.Credential.Kind == APIKeyCredential && !c.ExpiresAt.IsZero()
}

// IsAdmin reports whether the caller is an admin of the system.
func (c Caller) IsAdmin() bool { return c.Role == RoleAdmin }

// Is reports whether the caller is the given user.
func (c Caller) Is(user UserID) bool { return c.UserID == user }
