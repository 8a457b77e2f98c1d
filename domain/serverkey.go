package domain

import "slices"

// ServerKeyID identifies one key of the server's key ring.
type ServerKeyID = ID[serverKey]

type serverKey struct{}

// KeyPurpose is what a server key is for. Each purpose has a key of its own.
type KeyPurpose string

// The purposes.
const (
	// KeyForEntries wraps the envelopes of entries.
	KeyForEntries KeyPurpose = "entry"
	// KeyForAccounts wraps password hashes and code secrets.
	KeyForAccounts KeyPurpose = "account"
	// KeyForAPIKeys signs API keys.
	KeyForAPIKeys KeyPurpose = "api-key"
	// KeyForSessions signs the tokens of /authenticate.
	KeyForSessions KeyPurpose = "session"
	// KeyForThrottle keys the digests under which attempts are counted.
	KeyForThrottle KeyPurpose = "throttle"
)

// KeyPurposes lists all purposes in the order in which people are shown them.
func KeyPurposes() []KeyPurpose {
	return []KeyPurpose{KeyForEntries, KeyForAccounts, KeyForAPIKeys, KeyForSessions, KeyForThrottle}
}

// ParseKeyPurpose reads a purpose as it is written on the command line.
func ParseKeyPurpose(text string) (KeyPurpose, error) {
	purpose := KeyPurpose(text)
	if !slices.Contains(KeyPurposes(), purpose) {
		return "", InvalidField("purpose", "unknown_key_purpose",
			"the purpose must be one of entry, account, api-key, session, throttle")
	}
	return purpose, nil
}
