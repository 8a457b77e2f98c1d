package domain

import (
	"time"
	"unicode"
	"unicode/utf8"
)

const maxAPIKeyName = 100

// APIKey is a credential for programs. The key itself is shown once, when it is made; this is what is kept of it.
type APIKey struct {
	ID   CredentialID
	User UserID
	// Name is a note that the user gave it; may be empty.
	Name string
	// SignedBy is the server key under which the key was signed.
	SignedBy  ServerKeyID
	CreatedAt time.Time
	// ExpiresAt is when the key ends; zero means never.
	ExpiresAt time.Time
	// LastUsedAt is kept to the minute; zero means not yet.
	LastUsedAt time.Time
}

// ParseAPIKeyName reads the note of an API key: at most 100 printable characters; empty is fine.
func ParseAPIKeyName(text string) (string, error) {
	if utf8.RuneCountInString(text) > maxAPIKeyName {
		return "", InvalidField("name", "invalid_name", "name must have at most 100 characters")
	}
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return "", InvalidField("name", "invalid_name",
				"name must hold printable characters and plain spaces alone")
		}
	}
	return text, nil
}

// UsableAt reports whether the key has not ended at now.
func (k APIKey) UsableAt(now time.Time) bool {
	return k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt)
}

// MaxAPIKeysPerUser bounds the keys of one user, expired ones included until they are swept.
const MaxAPIKeysPerUser = 1000

// CheckAPIKeyQuota decides whether a user who has that many API keys may have one more.
func CheckAPIKeyQuota(count int) error {
	if count >= MaxAPIKeysPerUser {
		return LimitReached("API keys per user; delete some first")
	}
	return nil
}

// CapAPIKeyExpiry returns when a new API key ends that was asked to end at asked (zero: never). A key made with an API
// key that expires ends no later than that one, so that a short-lived key cannot make itself live on.
func CapAPIKeyExpiry(asked time.Time, maker Caller) time.Time {
	if !maker.HasExpiringAPIKey() {
		return asked
	}
	if asked.IsZero() || asked.After(maker.ExpiresAt) {
		return maker.ExpiresAt
	}
	return asked
}

// CheckRevocable decides whether the key may go: the last one that is usable at now must stay. keys are all of the
// user's keys.
func CheckRevocable(key CredentialID, keys []APIKey, now time.Time) error {
	usable, wasUsable := 0, false
	for _, each := range keys {
		if !each.UsableAt(now) {
			continue
		}
		usable++
		wasUsable = wasUsable || each.ID == key
	}
	if wasUsable && usable == 1 {
		return ErrLastAPIKey
	}
	return nil
}

// CheckAPIKeyRevoker decides whether the caller may delete an API key of that user: its owner may, and an admin, but
// the keys of the owner of the system are for the owner alone. To others the key does not exist.
func CheckAPIKeyRevoker(by Caller, user User) error {
	switch {
	case by.Is(user.ID):
		return nil
	case !by.IsAdmin():
		return ErrAPIKeyNotFound
	case user.Owner:
		return ErrOwnerProtected
	}
	return nil
}
