package keys

import (
	"encoding/base32"
	"encoding/hex"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// ID is the id of an installation, a user or a box: a UUID.
type ID [16]byte

// ParseID parses a UUID in the form that the server writes: lower-case hexadecimal with dashes.
func ParseID(text string) (ID, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil || len(raw) != len(ID{}) || ID(raw).String() != text {
		return ID{}, fault(client.ErrKeyringTampered,
			"the server sent an id that is not a UUID: "+
				"check that Config.URL is the address of a Lockbox server of this release", err)
	}
	return ID(raw), nil
}

// String returns the UUID in lower-case hexadecimal with dashes.
func (id ID) String() string {
	text := hex.EncodeToString(id[:])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// MarshalText implements encoding.TextMarshaler. It returns the text of String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses a UUID with the rules of ParseID.
func (id *ID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseID(string(text))
	return err
}

// KeyID names a box key without revealing it.
type KeyID [16]byte

// ParseKeyID parses the 22 characters that String returns.
func ParseKeyID(text string) (KeyID, error) {
	raw, ok := decode64(text, len(KeyID{}))
	if !ok {
		return KeyID{}, fault(client.ErrKeyringTampered, "the key id must be 22 characters of base64url", nil)
	}
	return KeyID(raw), nil
}

// String returns the key id as 22 characters of base64url.
func (id KeyID) String() string { return encode64(id[:]) }

// MarshalText implements encoding.TextMarshaler. It returns the text of String.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText parses a key id with the rules of ParseKeyID.
func (id *KeyID) UnmarshalText(text []byte) (err error) {
	*id, err = ParseKeyID(string(text))
	return err
}

const (
	// displayDigits is the number of base32 characters that people compare: 150 bits.
	displayDigits = 30
	displayGroup  = 5
)

// displayAlphabet is the lower-case alphabet of base32 (RFC 4648).
var displayAlphabet = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Fingerprint identifies a public key. People compare the result of Display over a channel that the server does not
// control.
type Fingerprint [32]byte

// ParseFingerprint parses the 43 characters that String returns.
func ParseFingerprint(text string) (Fingerprint, error) {
	raw, ok := decode64(text, len(Fingerprint{}))
	if !ok {
		return Fingerprint{}, fault(client.ErrIdentityInvalid,
			"the fingerprint must be 43 characters of base64url", nil)
	}
	return Fingerprint(raw), nil
}

// String returns the fingerprint as 43 characters of base64url, as the server writes it.
func (f Fingerprint) String() string { return encode64(f[:]) }

// MarshalText implements encoding.TextMarshaler. It returns the text of String.
func (f Fingerprint) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText parses a fingerprint with the rules of ParseFingerprint.
func (f *Fingerprint) UnmarshalText(text []byte) (err error) {
	*f, err = ParseFingerprint(string(text))
	return err
}

// Display returns the first 150 bits for people: six groups of five base32 characters, separated by spaces.
func (f Fingerprint) Display() string {
	digits := displayAlphabet.EncodeToString(f[:])[:displayDigits]
	groups := make([]string, 0, displayDigits/displayGroup)
	for ; digits != ""; digits = digits[displayGroup:] {
		groups = append(groups, digits[:displayGroup])
	}
	return strings.Join(groups, " ")
}

// Matches reports whether a person has typed the result of Display. It ignores letter case, spaces and dashes. The
// typed text must contain all 30 characters, because an attacker could generate a key that matches a shorter part.
func (f Fingerprint) Matches(typed string) bool {
	plain := strings.NewReplacer(" ", "", "-", "", "\t", "").Replace(strings.ToLower(typed))
	return plain == strings.ReplaceAll(f.Display(), " ", "")
}
