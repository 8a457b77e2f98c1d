package domain

import "time"

// Session is a sign-in with a password. The signed token is not stored; Session is the stored part.
type Session struct {
	ID       CredentialID
	User     UserID
	SignedBy ServerKeyID
	// Epoch is the user's SessionEpoch at sign-in. The session is invalid if the user's present epoch is higher.
	Epoch     int64
	CreatedAt time.Time
	ExpiresAt time.Time
}

// NewSession returns a session that expires after ttl. The time of the expiry is rounded down to a whole second,
// because times in tokens are whole seconds.
func NewSession(id CredentialID, user User, now time.Time, ttl time.Duration) Session {
	return Session{
		ID:        id,
		User:      user.ID,
		Epoch:     user.SessionEpoch,
		CreatedAt: now,
		ExpiresAt: now.Add(ttl).Truncate(time.Second),
	}
}
