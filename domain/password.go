package domain

import (
	"strconv"
	"unicode/utf8"
)

// maxPasswordLength is the maximum length of a password, in characters.
const maxPasswordLength = 100

// ParseNewPassword parses a new password: at least minLength and at most 100 characters of UTF-8. The caller clears the
// result.
func ParseNewPassword(text string, minLength int) (Secret, error) {
	length := utf8.RuneCountInString(text)
	switch {
	case text == "":
		return Secret{}, InvalidField("password", "password_required", "password is missing or empty")
	case !utf8.ValidString(text):
		return Secret{}, InvalidField("password", "invalid_password", "password must be UTF-8")
	case length < minLength:
		return Secret{}, InvalidField("password", "invalid_password",
			"password must have at least "+strconv.Itoa(minLength)+" characters")
	case length > maxPasswordLength:
		return Secret{}, InvalidField("password", "invalid_password", "password must have at most 100 characters")
	}
	return NewSecret(text), nil
}

// ParseGivenPassword parses a password that will be compared with a stored password. It refuses only an empty password.
// Text that is longer than any valid password is truncated, so hashing a very long guess costs no more than hashing a
// short one. The truncated text still has one byte more than any valid password, so it matches no password. The caller
// clears the result.
func ParseGivenPassword(text string) (Secret, error) {
	if text == "" {
		return Secret{}, InvalidField("password", "password_required", "password is missing or empty")
	}
	const limit = maxPasswordLength*utf8.UTFMax + 1
	return NewSecret(text[:min(len(text), limit)]), nil
}
