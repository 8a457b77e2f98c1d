package ports

import "github.com/lockbox-go/lockbox/domain"

// TokenDigests computes digests of secrets that authenticate a user. The digests are computed under server keys and
// stored in the database. An attacker who can write to the database but has no server key can neither make a valid
// digest nor move one to another user. Servers that share a database compute the same digests. It is safe for
// concurrent use and performs no I/O.
type TokenDigests interface {
	// Tokens returns the digests of opaque tokens under the current session key and token key, in the order of tokens.
	Tokens(tokens ...domain.OpaqueToken) ([]domain.Digest, domain.TokenKeys)
	// RecoveryCodes computes the digests of recovery codes from the hashes of the codes. The argument secret is the
	// TOTP secret to which the codes belong. The digests are in the order of hashes.
	RecoveryCodes(user domain.UserID, secret domain.TOTPID, hashes ...domain.Digest) RecoveryCodes
	// Invitation computes the proof of an invitation from its terms; see domain.Invitation.
	Invitation(terms ...string) (domain.Digest, domain.ServerKeyID)
}

// RecoveryCodes are the stored digests of recovery codes, and the token key under which they were computed.
type RecoveryCodes struct {
	ServerKey domain.ServerKeyID
	Digests   []domain.Digest
}

// PlainRecoveryCodeCount is a user's number of recovery codes without a keyed digest. No sign-in accepts these codes.
type PlainRecoveryCodeCount struct {
	User  domain.UserID
	Name  domain.UserName
	Codes int
}

// PlainRecoveryCode is a recovery code as an older release stored it: Hash is not a keyed digest.
type PlainRecoveryCode struct {
	User   domain.UserID
	Secret domain.TOTPID
	Hash   domain.Digest
}
