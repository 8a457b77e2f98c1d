package domain

import (
	"encoding/hex"
	"strings"
)

// ID identifies an object of type T by sixteen bytes, written as a UUID (RFC 9562). The type parameter makes each kind
// of identifier a separate type, so that the compiler refuses a UserID where a BoxID is needed.
type ID[T any] [16]byte

// The identifiers of the domain.
type (
	// UserID identifies a user.
	UserID = ID[User]
	// BoxID identifies a box.
	BoxID = ID[Box]
	// CredentialID identifies an API key, a session or a pair of opaque tokens.
	CredentialID = ID[Credential]
	// EventID identifies an event.
	EventID = ID[Event]
	// InstallationID identifies the database of an installation. Tokens and keyrings contain it.
	InstallationID = ID[Installation]
)

// Installation exists only to make InstallationID a separate type.
type Installation struct{}

// IsZero reports whether the identifier is not set.
func (id ID[T]) IsZero() bool { return id == ID[T]{} }

// String returns the UUID: 36 characters in lower case.
func (id ID[T]) String() string {
	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// ParseID parses the text that String returns, ignoring letter case; ok is false if text does not have this form.
func ParseID[T any](text string) (id ID[T], ok bool) {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return ID[T]{}, false
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != len(id) {
		return ID[T]{}, false
	}
	copy(id[:], raw)
	return id, true
}
