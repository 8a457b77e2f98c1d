package domain

import (
	"errors"
	"time"
)

// CredentialKind is what a token is. The set is closed.
type CredentialKind string

// The kinds of credentials.
const (
	// APIKeyCredential is an API key, for programs.
	APIKeyCredential CredentialKind = "api-key"
	// SessionCredential is a token from signing in with a password.
	SessionCredential CredentialKind = "session"
	// AccessTokenCredential is an opaque token from signing in with a code.
	AccessTokenCredential CredentialKind = "access-token"
	// RefreshTokenCredential is what an access token is renewed with. It is good for ending sessions alone.
	RefreshTokenCredential CredentialKind = "refresh-token"
)

// Credential is what a token whose signature was checked claims to be, or the digest of an opaque one. Whether it is
// still good is for the database to say; see [Caller].
type Credential struct {
	Kind CredentialKind
	// ID and User are what a signed token says, and what the database says of an opaque one.
	ID   CredentialID
	User UserID
	// Digest is of an opaque token.
	Digest Digest
}

// IsZero reports whether there is no credential.
func (c Credential) IsZero() bool { return c.ID.IsZero() && c.Digest.IsZero() }

// ErrCredentialExpired is the cause when a credential is refused because it has ended.
var ErrCredentialExpired = errors.New("the token has expired")

// Caller is who makes a request, as the database has it now.
type Caller struct {
	UserID     UserID
	Name       UserName
	Role       Role
	Active     bool
	Owner      bool // of the system
	Group      Group
	Credential Credential
	// CredentialName is the name that an API key was given; empty for others.
	CredentialName string
	// ExpiresAt is when the credential ends; zero means never.
	ExpiresAt time.Time
	// Terminal: it is the operator, on the server's own command line, who may do what the owner may.
	Operator bool
}

// Operator is the caller on the server's own command line.
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

// Authenticate returns the refusal for a caller whose user is inactive or whose credential has ended at now.
func (c Caller) Authenticate(now time.Time) error {
	switch {
	case c.UserID.IsZero() || !c.Active:
		return ErrUnauthenticated
	case !c.UsableAt(now):
		return ErrUnauthenticated.Because(ErrCredentialExpired)
	}
	return nil
}

// UsableAt reports whether the credential has not ended at now.
func (c Caller) UsableAt(now time.Time) bool {
	return c.ExpiresAt.IsZero() || now.Before(c.ExpiresAt)
}

// HasExpiringAPIKey reports whether the caller came with an API key that ends. Such a key must not get at one that lives
// longer than itself.
func (c Caller) HasExpiringAPIKey() bool {
	return c.Credential.Kind == APIKeyCredential && !c.ExpiresAt.IsZero()
}

// IsAdmin reports whether the caller administers the system.
func (c Caller) IsAdmin() bool { return c.Role == RoleAdmin }

// Is reports whether the caller is that user.
func (c Caller) Is(user UserID) bool { return c.UserID == user }
