//go:build e2e && linux

package e2e

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/lockbox-go/lockbox/tests/engine"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestDropletsPageExamples first runs the first bash block of the README, which prepares the server. It then runs the
// examples of docs/droplets.md.
func TestDropletsPageExamples(t *testing.T) {
	e := engine.Start(t, engine.Bridge)
	e.BuildImages()
	s := startOn(t, pgtest.New(t), yardSettings(e)...)
	_, rest, found := strings.Cut(page(t, "docs/droplets.md"), "```bash\n")
	block, _, ended := strings.Cut(rest, "```")
	require.True(t, found && ended)
	out := s.paste(firstBlock(t) + "echo '== droplets'\n" + block + "echo '== key'\ncat droplet01.key\n")
	_, out, _ = strings.Cut(out, "== droplets\n")
	answers, key, _ := strings.Cut(out, "== key\n")
	require.Equal(t, []int{201, 200, 200, 200, 200, 200, 200, 200}, statuses(answers), out)
	_, err := ssh.ParsePrivateKey([]byte(key))
	require.NoError(t, err)
	y := &yard{t: t, engine: e, server: s}
	defer y.clear()
	require.Contains(t, y.inside(1).Environ, "DB_PASSWORD=s3cret")
	require.Equal(t, 1, strings.Count(answers, `"privateKey"`))
}
