package domain

import (
	"time"
	"unicode"
	"unicode/utf8"
)

// maxAPIKeyName is the maximum length of the name of an API key, in characters.
const maxAPIKeyName = 100

// APIKey is the stored part of an API key. API keys are credentials for programs. The signed key itself is shown once,
// at creation, and is never stored.
type APIKey struct {
	ID   CredentialID
	User UserID
	// Name is a note from the user; it may be empty.
	Name string
	// SignedBy is the server key that signed the API key.
	SignedBy  ServerKeyID
	CreatedAt time.Time
	// ExpiresAt is zero for a key that never expires.
	ExpiresAt time.Time
	// LastUsedAt has a resolution of one minute. It is zero for a key that was never used.
	LastUsedAt time.Time
}

// ParseAPIKeyName parses the name of a new API key: 0 to 100 printable characters. Existing keys may have names that an
// earlier version accepted and this version refuses.
func ParseAPIKeyName(text string) (string, error) {
	if utf8.RuneCountInString(text) > maxAPIKeyName {
		return "", InvalidField("name", "invalid_name", "name must have at most 100 characters")
	}
	for _, r := range text {
		if r == utf8.RuneError || !unicode.IsPrint(r) || hasNoShape(r) {
			return "", InvalidField("name", "invalid_name",
				"name must contain only printable characters and plain spaces")
		}
	}
	return text, nil
}

// hasNoShape reports whether r is one of the invisible characters that unicode.IsPrint accepts: a filler, a variation
// selector or the Braille blank. It returns false for the variation selectors 15 and 16, because emoji contain them.
// IsPrint itself refuses zero-width spaces and characters that change the direction of text.
func hasNoShape(r rune) bool {
	const textStyle, emojiStyle, brailleBlank = '\ufe0e', '\ufe0f', '\u2800'
	return r != textStyle && r != emojiStyle && (r == brailleBlank ||
		unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector))
}

// UsableAt reports whether the key has not expired at the given time.
func (k APIKey) UsableAt(now time.Time) bool {
	return k.ExpiresAt.IsZero() || now.Before(k.ExpiresAt)
}

// MaxAPIKeysPerUser is the maximum number of API keys of one user. An expired key counts towards this number until it
// is deleted.
const MaxAPIKeysPerUser = 1000

// CheckAPIKeyQuota decides whether a user may create another API key. The count argument is the number of API keys that
// the user has.
func CheckAPIKeyQuota(count int) error {
	if count >= MaxAPIKeysPerUser {
		return LimitReached("this user cannot have more API keys; delete an API key first")
	}
	return nil
}

// CapAPIKeyExpiry returns the expiry of a new API key. The argument "requested" is the expiry that the request
// specifies. The zero time means that a key never expires. If the maker of the new key authenticated with an API key
// that expires, the new key expires no later than that API key. Without this rule, a holder of a key that expires soon
// could create a key that expires later.
func CapAPIKeyExpiry(requested time.Time, maker Caller) time.Time {
	if !maker.HasExpiringAPIKey() {
		return requested
	}
	if requested.IsZero() || requested.After(maker.ExpiresAt) {
		return maker.ExpiresAt
	}
	return requested
}

// CheckRevocable decides whether a user's API key may be deleted. It refuses to delete the last key that has not
// expired at the given time. The keys argument must contain all keys of the user.
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

// CheckAPIKeyRevoker decides whether the caller may delete an API key of a user. Users may delete their own keys, and
// admins may delete all keys except the owner's. Other callers get the error for a missing key.
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
