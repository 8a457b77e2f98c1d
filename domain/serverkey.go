package domain

import "slices"

// ServerKeyID identifies a key of the server's key ring.
type ServerKeyID = ID[serverKey]

// serverKey only distinguishes ServerKeyID from other identifiers.
type serverKey struct{}

// KeyPurpose is what a server key is used for. Each purpose has a key of its own. The names are stored.
type KeyPurpose string

// The purposes.
const (
	// KeyForEntries seals the envelopes of entries, in a layer over the client's.
	KeyForEntries KeyPurpose = "entry"
	// KeyForAccounts seals password hashes, TOTP secrets and locked identities.
	KeyForAccounts KeyPurpose = "account"
	// KeyForAPIKeys signs API keys.
	KeyForAPIKeys KeyPurpose = "api-key"
	// KeyForSessions signs the tokens of sign-ins with a password.
	KeyForSessions KeyPurpose = "session"
	// KeyForTokens keys the digests of opaque tokens, recovery codes and invitations.
	KeyForTokens KeyPurpose = "token"
	// KeyForThrottle keys the digests under which wrong credentials are counted.
	KeyForThrottle KeyPurpose = "throttle"
)

// KeyPurposes lists all purposes, in the order of the output of commands.
func KeyPurposes() []KeyPurpose {
	return []KeyPurpose{KeyForEntries, KeyForAccounts, KeyForAPIKeys, KeyForSessions, KeyForTokens, KeyForThrottle}
}

// ParseKeyPurpose parses a purpose, an argument of a command.
func ParseKeyPurpose(text string) (KeyPurpose, error) {
	purpose := KeyPurpose(text)
	if !slices.Contains(KeyPurposes(), purpose) {
		return "", InvalidField("purpose", "unknown_key_purpose",
			"the purpose must be one of entry, account, api-key, session, token, throttle")
	}
	return purpose, nil
}
