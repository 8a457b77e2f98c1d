//go:build unix && e2e

package terminal

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLongScripts runs the scripts about keyrings and identities. Locking and unlocking an identity derives a key with
// Argon2id each time. TestScripts describes the commands.
func TestLongScripts(t *testing.T) {
	t.Parallel()
	runScripts(t, "testdata/long")
}

// TestRekeyOfTenThousandEntries re-encrypts a box of 10,000 entries. It kills the command lockbox box rekey --rewrite
// five times and then runs it to the end.
func TestRekeyOfTenThousandEntries(t *testing.T) {
	t.Parallel()
	const entries = 10_000
	h, proxy := boxOf(t, entries)
	begun := time.Now()
	h.killRewrites(proxy, 5, entries/6)
	out := h.must("box", "rekey", "prod", "--rewrite", "-o", "json")
	t.Logf("re-encrypted %d entries in %s, killed five times", entries, time.Since(begun).Round(time.Millisecond))
	require.Contains(t, out, `"keyChanged": false`)
	current, other := h.underKey()
	require.Equal(t, entries, current)
	require.Zero(t, other)
	for _, name := range []string{"entry00000", "entry05000", "entry09999"} {
		first := h.must("get", "prod/e/"+name, "--raw", "--version", "1")
		require.Equal(t, first, h.must("get", "prod/e/"+name, "--raw"))
	}
}

// TestRekeyContinuesAfterKill kills a re-encryption and runs the same command again. The command must continue and must
// not change the key a second time. At the end, every current version must be encrypted under the new key, and the
// older versions must still be readable.
func TestRekeyContinuesAfterKill(t *testing.T) {
	t.Parallel()
	h, proxy := boxOf(t, 20)
	h.killRewrites(proxy, 3, 5)
	current, other := h.underKey()
	// Each of the three runs sends five writes. A write of a killed run can still be in flight and conflict with a
	// write of the next run. The runs may therefore re-encrypt fewer than 15 entries.
	require.GreaterOrEqual(t, current, 10)
	require.GreaterOrEqual(t, other, 5, "three runs of at most five writes")
	out := h.must("box", "rekey", "prod", "--rewrite", "-o", "json")
	require.Contains(t, out, `"keyChanged": false`)
	require.Contains(t, out, fmt.Sprintf(`"rewritten": %d`, other))
	require.Contains(t, out, fmt.Sprintf(`"current": %d`, current))
	current, other = h.underKey()
	require.Equal(t, 20, current)
	require.Zero(t, other)
	require.Contains(t, h.must("box", "show", "prod"), "number 2", "the key changed once")
	for _, version := range []string{"1", "2"} {
		require.Equal(t, "7", h.must("get", "prod/e/entry00007", "--raw", "--version", version))
	}
	// This re-encryption is complete, so the next run changes the key again.
	require.Contains(t, h.must("box", "rekey", "prod", "--rewrite", "-o", "json"), `"rewritten": 20`)
	require.Contains(t, h.must("box", "show", "prod"), "number 3")
}

// TestRekeyAfterCtrlC checks that Ctrl-C stops a re-encryption and prints a hint. The same command must then continue
// the re-encryption.
func TestRekeyAfterCtrlC(t *testing.T) {
	t.Parallel()
	h, proxy := boxOf(t, 20)
	dead := proxy.after(5)
	s := h.at("box", "rekey", "prod", "--rewrite")
	<-dead
	s.expect(`Encrypting \[#+ *\] \d+ of 20`)
	_, err := s.keyboard.WriteString("\x03")
	require.NoError(t, err)
	s.expect("Stopped. To continue, run: lockbox box rekey prod --rewrite")
	s.ends(130)
	proxy.after(-1)
	s = h.at("box", "rekey", "prod", "--rewrite")
	s.expect("Continuing the re-encryption that was interrupted. The key does not change again.")
	s.expect(`20 of 20`)
	s.ends(0)
	_, other := h.underKey()
	require.Zero(t, other)
}
