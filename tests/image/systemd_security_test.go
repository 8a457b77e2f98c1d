//go:build e2e && linux

package image

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSystemdUnitIsHardened verifies that the command systemd-analyze security gives the unit an exposure level of at
// most 2.0. The worst level is 10.
func TestSystemdUnitIsHardened(t *testing.T) {
	t.Parallel()
	const threshold = "20" // in tenths
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager",
		"--threshold="+threshold, unitFolder+"lockbox.service").CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "Overall exposure level")
}
