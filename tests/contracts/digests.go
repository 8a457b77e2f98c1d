package contracts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// DigestsFixture is an implementation of ports.Digests with three servers.
type DigestsFixture struct {
	Digests ports.Digests
	// Replica is a server that shares the database of Digests.
	Replica ports.Digests
	// Elsewhere is a server with a separate database.
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
