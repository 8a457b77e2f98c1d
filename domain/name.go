package domain

import (
	"strconv"
	"strings"
)

// UserName is the name of a user, in lower case.
type UserName string

// BoxName is the name of a box, in lower case.
type BoxName string

// EntryKey is the key of an entry within its box, in lower case.
type EntryKey string

// The maximum lengths of names, in characters. Names are ASCII, so a character is a byte.
const (
	maxUserName = 50
	maxBoxName  = 100
	maxEntryKey = 200
)

// ParseUserName parses the name of a user: 1 to 50 letters and digits with single '.', '_' or '-' between them.
func ParseUserName(text string) (UserName, error) {
	if err := checkName("username", text, maxUserName); err != nil {
		return "", err
	}
	return UserName(strings.ToLower(text)), nil
}

// ParseBoxName parses the name of a box: 1 to 100 letters and digits with single '.', '_' or '-' between them.
func ParseBoxName(text string) (BoxName, error) {
	if err := checkName("box", text, maxBoxName); err != nil {
		return "", err
	}
	return BoxName(strings.ToLower(text)), nil
}

// ParseEntryKey parses the key of an entry. A key has 1 to 200 characters and consists of segments with a single '/' or
// ':' between them. A segment consists of letters, digits, '.', '_', '@' and '-' and begins with a letter, a digit or
// '_'.
func ParseEntryKey(text string) (EntryKey, error) {
	if err := checkLength("key", text, maxEntryKey); err != nil {
		return "", err
	}
	starting := true
	for i := range len(text) {
		c := text[i]
		switch {
		case isAlphanumeric(c) || c == '_':
			starting = false
		case starting:
			return "", invalidEntryKey()
		case c == '/' || c == ':':
			starting = true
		case c != '.' && c != '@' && c != '-':
			return "", invalidEntryKey()
		}
	}
	if starting {
		return "", invalidEntryKey()
	}
	return EntryKey(strings.ToLower(text)), nil
}

// ParseKeyPrefix parses the prefix that filters a list of keys. A prefix is the beginning of a key and may end in a
// separator. An empty prefix matches all keys.
func ParseKeyPrefix(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if len(text) >= maxEntryKey {
		return "", InvalidField("prefix", "invalid_prefix",
			"prefix must have fewer than 200 characters, because a key has at most 200")
	}
	// If the text followed by a letter is a valid key, the text can be the beginning of a key.
	if _, err := ParseEntryKey(text + "a"); err != nil {
		return "", InvalidField("prefix", "invalid_prefix", "prefix must be the beginning of a key")
	}
	return strings.ToLower(text), nil
}

// checkName checks the name of a user or of a box. An error names the field that contained the name.
func checkName(field, text string, limit int) error {
	if err := checkLength(field, text, limit); err != nil {
		return err
	}
	separated := true // a name does not begin with a separator, and never has two in a row
	for i := range len(text) {
		c := text[i]
		switch {
		case isAlphanumeric(c):
			separated = false
		case separated || c != '.' && c != '_' && c != '-':
			return invalidName(field)
		default:
			separated = true
		}
	}
	if separated {
		return invalidName(field)
	}
	return nil
}

// checkLength refuses an empty text and a text of more than limit bytes.
func checkLength(field, text string, limit int) error {
	if text == "" {
		return InvalidField(field, field+"_required", field+" is missing or empty")
	}
	if len(text) > limit {
		return InvalidField(field, "invalid_"+field, field+" is longer than "+strconv.Itoa(limit)+" characters")
	}
	return nil
}

func invalidName(field string) *Error {
	return InvalidField(field, "invalid_"+field,
		field+" must be letters and digits with single '.', '_' or '-' between them")
}

func invalidEntryKey() *Error {
	return InvalidField("key", "invalid_key", "key must be segments joined by single '/' or ':'; "+
		"a segment contains only letters, digits, '.', '_', '@' and '-', and begins with a letter, a digit or '_'")
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}
