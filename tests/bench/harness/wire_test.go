package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestScan splits a stream into parts of one size, for every possible size. It verifies that scan finds the same
// messages each time.
func TestScan(t *testing.T) {
	t.Parallel()
	stream := []byte("B\x00\x00\x00\x08EEEE" + "E\x00\x00\x00\x04" + "S\x00\x00\x00\x04" + "Q\x00\x00\x00\x06x\x00")
	for size := 1; size <= len(stream); size++ {
		var found []byte
		var header []byte
		left := 0
		for rest := stream; len(rest) > 0; {
			part := rest[:min(size, len(rest))]
			rest = rest[len(part):]
			header, left = scan(part, header, left, func(kind byte) { found = append(found, kind) })
		}
		require.Equal(t, "BESQ", string(found), "in parts of %d", size)
		require.Zero(t, left)
		require.Empty(t, header)
	}
}
