package domain

import (
	"strconv"
	"unicode/utf8"
)

const maxPasswordLength = 100

// ParseNewPassword checks a password that is being set: at least minLength and at most 100 characters of UTF-8.
func ParseNewPassword(text string, minLength int) (Secret, error) {
	length := utf8.RuneCountInString(text)
	switch {
	case text == "":
		return Secret{}, InvalidField("password", "password_required", "password is missing or empty")
	case !utf8.ValidString(text):
		return Secret{}, InvalidField("password", "invalid_password", "password is not UTF-8")
	case length < minLength:
		return Secret{}, InvalidField("password", "invalid_password",
			"password must have at least "+strconv.Itoa(minLength)+" characters")
	case length > maxPasswordLength:
		return Secret{}, InvalidField("password", "invalid_password", "password must have at most 100 characters")
	}
	return NewSecret(text), nil
}

// ParseGivenPassword reads a password that is being compared. It refuses only what is absent; one that is longer than
// any password can be is cut, which cannot match, so that a guess costs the same whatever its length.
func ParseGivenPassword(text string) (Secret, error) {
	if text == "" {
		return Secret{}, InvalidField("password", "password_required", "password is missing or empty")
	}
	const most = maxPasswordLength*utf8.UTFMax + 1
	return NewSecret(text[:min(len(text), most)]), nil
}
