//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRevocationDuringKeyDerivation revokes a permission while the server derives the key for a read. The server must
// check the permission again and refuse the read.
func TestRevocationDuringKeyDerivation(t *testing.T) {
	t.Parallel()
	const passphrase = "correct horse"
	s := start(t, "KDF_MEMORY_KIB=32768", "KDF_TIME=8")
	root := s.initialize()
	root.box("default")
	root.put("default", "entry", `1`, "X-Encryption-Key", passphrase).expect(201)
	user := root.user("user1")
	root.share("default", "user1", "readEntry")

	for range 20 {
		root.permit("default", "user1", "readEntry")
		answers := make(chan *answer, 1)
		go func() { answers <- user.get("default", "entry", "X-Encryption-Key", passphrase) }()
		require.Eventually(t, func() bool { return s.derivations() == 1 }, 10*time.Second, time.Millisecond)
		root.permit("default", "user1")
		inTime := s.derivations() == 1
		got := <-answers
		if inTime {
			require.Equal(t, 403, got.Status)
			return
		}
	}
	require.Fail(t, "the permission never went while the derivation ran")
}
