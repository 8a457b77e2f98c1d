package ports

import "github.com/lockbox-go/lockbox/domain"

// TokenDigests computes digests of secrets that authenticate a user. The digests are computed under server keys and
// stored in the database. An attacker who can write to the database but has no server key cannot make a valid digest,
// and cannot move a digest to another user. Servers that share a database compute the same digests. An implementation
// is safe for concurrent use and performs no I/O.
type TokenDigests interface {
	// Tokens returns the digest of each opaque token, in the given order, and the identifiers of the server keys. The
	// digests are computed under the current session key and the current token key.
	Tokens(tokens ...domain.OpaqueToken) ([]domain.Digest, domain.TokenKeys)
	// RecoveryCodes computes the digests of recovery codes from the hashes of the codes. The argument "secret"
	// identifies the TOTP secret to which the codes belong. The digests are in the same order as the hashes.
	RecoveryCodes(user domain.UserID, secret domain.TOTPID, hashes ...domain.Digest) RecoveryCodes
	// Invitation computes the proof of an invitation from its terms; see domain.Invitation.
	Invitation(terms ...string) (domain.Digest, domain.ServerKeyID)
}

// RecoveryCodes are the stored digests of recovery codes, and the token key under which they were computed.
type RecoveryCodes struct {
	ServerKey domain.ServerKeyID
	Digests   []domain.Digest
}

// PlainRecoveryCodeCount contains a user, and the number of the user's recovery codes that have no keyed digest. No
// sign-in accepts these codes.
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
