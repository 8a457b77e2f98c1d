package domain

import "time"

// Session is a sign-in with a password. The token is shown once; this is what is kept of it.
type Session struct {
	ID       CredentialID
	User     UserID
	SignedBy ServerKeyID
	// Epoch is the user's SessionEpoch at sign-in; the session is dead when the user's has moved on.
	Epoch     int64
	CreatedAt time.Time
	ExpiresAt time.Time
}

// NewSession makes a session of user that ends after ttl, to the whole second.
func NewSession(id CredentialID, user User, now time.Time, ttl time.Duration) Session {
	return Session{
		ID:        id,
		User:      user.ID,
		Epoch:     user.SessionEpoch,
		CreatedAt: now,
		ExpiresAt: now.Add(ttl).Truncate(time.Second),
	}
}
