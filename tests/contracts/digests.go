package contracts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DigestsFixture holds an implementation of ports.Digests for each of three servers.
type DigestsFixture struct {
	Digests ports.Digests
	// Replica belongs to another server that uses the database of Digests.
	Replica ports.Digests
	// Elsewhere belongs to a server with a separate database.
	Elsewhere ports.Digests
}

// Digests is the suite of ports.Digests.
func Digests(t *testing.T, open func(t *testing.T) DigestsFixture) {
	t.Helper()
	f := open(t)
	seen := map[domain.Digest][]string{}
	for _, input := range [][]string{
		{"label"}, {"label", ""}, {"label", "", ""}, {"label", "a"}, {"label", "a", "b"}, {"label", "b", "a"},
		{"label", "ab"}, {"label", "a", "b", ""}, {"labela", "b"}, {"other", "a", "b"}, {""}, {"", "label"},
	} {
		digest := f.Digests.Digest(input[0], input[1:]...)
		require.NotZero(t, digest)
		require.Empty(t, seen[digest], "the digest of %q", input)
		seen[digest] = input
		require.Equal(t, digest, f.Digests.Digest(input[0], input[1:]...))
		require.Equal(t, digest, f.Replica.Digest(input[0], input[1:]...))
		require.NotEqual(t, digest, f.Elsewhere.Digest(input[0], input[1:]...), "the digest is keyed")
	}
}

// TokenDigestsFixture holds an implementation of ports.TokenDigests for each of three servers.
type TokenDigestsFixture struct {
	Digests ports.TokenDigests
	// Replica belongs to another server that uses the database of Digests.
	Replica ports.TokenDigests
	// Elsewhere belongs to a server with a separate database.
	Elsewhere ports.TokenDigests
	// Rekey replaces the server key for a purpose in the database that Digests uses. It then reloads the key ring of
	// Digests, but not the key ring of Replica.
	Rekey func(t *testing.T, purpose domain.KeyPurpose)
}

// TokenDigests is the suite of ports.TokenDigests.
func TokenDigests(t *testing.T, open func(t *testing.T) TokenDigestsFixture) {
	t.Helper()
	f := open(t)
	seen := map[domain.Digest]bool{}
	// The function all computes digests of every kind, each from a different input.
	all := func(digests ports.TokenDigests) []domain.Digest {
		tokens, _ := digests.Tokens(domain.OpaqueToken{1}, domain.OpaqueToken{2})
		list := tokens
		for _, user := range []domain.UserID{{1}, {2}} {
			for _, secret := range []domain.TOTPID{{3}, {4}} {
				list = append(list, digests.RecoveryCodes(user, secret, domain.Digest{5}, domain.Digest{6}).Digests...)
			}
		}
		for _, terms := range [][]string{{"a", "b"}, {"ab"}, {"b", "a"}} {
			proof, _ := digests.Invitation(terms...)
			list = append(list, proof)
		}
		return list
	}
	first := all(f.Digests)
	require.Equal(t, first, all(f.Replica))
	for _, digest := range append(first, all(f.Elsewhere)...) {
		require.NotZero(t, digest)
		require.False(t, seen[digest], "all inputs and keys have different digests")
		seen[digest] = true
	}
	_, keys := f.Digests.Tokens()
	f.Rekey(t, domain.KeyForSessions)
	tokens, after := f.Digests.Tokens(domain.OpaqueToken{1}, domain.OpaqueToken{2})
	require.NotEqual(t, keys.Session, after.Session)
	require.Equal(t, keys.Token, after.Token)
	require.NotEqual(t, first[:2], tokens, "a new session key invalidates the opaque tokens")
	require.Equal(t, first[2:], all(f.Digests)[2:], "and nothing else")
	f.Rekey(t, domain.KeyForTokens)
	for _, digest := range all(f.Digests) {
		require.False(t, seen[digest], "a new token key changes all digests")
	}
}
