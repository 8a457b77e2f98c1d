package domain

import "slices"

// ServerKeyID identifies a key of the server's key ring.
type ServerKeyID = ID[serverKey]

// serverKey exists only to make ServerKeyID a separate type.
type serverKey struct{}

// KeyPurpose names the use of a server key. Different purposes have different keys. The names are stored.
type KeyPurpose string

// The purposes.
const (
	// KeyForEntries seals the envelopes of entries. This is the outer layer of encryption; the inner layer is under the
	// client's key.
	KeyForEntries KeyPurpose = "entry"
	// KeyForAccounts seals password hashes, TOTP secrets and locked identities.
	KeyForAccounts KeyPurpose = "account"
	// KeyForAPIKeys signs API keys.
	KeyForAPIKeys KeyPurpose = "api-key"
	// KeyForSessions signs the tokens of sign-ins with a password.
	KeyForSessions KeyPurpose = "session"
	// KeyForTokens is for the keyed digests of opaque tokens, recovery codes and invitations.
	KeyForTokens KeyPurpose = "token"
	// KeyForThrottle is for the keyed digests that identify the counters of wrong credentials.
	KeyForThrottle KeyPurpose = "throttle"
)

// KeyPurposes lists all purposes, in the order in which commands print them.
func KeyPurposes() []KeyPurpose {
	return []KeyPurpose{KeyForEntries, KeyForAccounts, KeyForAPIKeys, KeyForSessions, KeyForTokens, KeyForThrottle}
}

// ParseKeyPurpose parses the purpose in the arguments of a command.
func ParseKeyPurpose(text string) (KeyPurpose, error) {
	purpose := KeyPurpose(text)
	if !slices.Contains(KeyPurposes(), purpose) {
		return "", InvalidField("purpose", "unknown_key_purpose",
			"the purpose must be one of entry, account, api-key, session, token, throttle")
	}
	return purpose, nil
}
