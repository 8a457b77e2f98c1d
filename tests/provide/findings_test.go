package provide

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGoFindings verifies that scripts/go-findings prints one line if the Go toolchain has known vulnerabilities. For
// any other toolchain, the script must print nothing.
func TestGoFindings(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"go1.25.12":    "set GOTOOLCHAIN=go1.27.3 or newer",
		"go1.26rc2":    "set GOTOOLCHAIN=go1.26.10 or newer",
		"go1.26.8":     "set GOTOOLCHAIN=go1.26.10 or newer",
		"go1.26.9":     "set GOTOOLCHAIN=go1.26.10 or newer",
		"go1.26.10":    "",
		"go1.26.11":    "",
		"go1.27rc1":    "set GOTOOLCHAIN=go1.27.3 or newer",
		"go1.27.2":     "set GOTOOLCHAIN=go1.27.3 or newer",
		"go1.27.3":     "",
		"go1.27.12-x:": "",
		"go1.28.0":     "",
	} {
		m := newMachine(t, "")
		m.write("go", "#!/bin/sh\necho '"+version+"'\n")
		for _, name := range []string{"sort", "head"} {
			path, err := exec.LookPath(name)
			require.NoError(t, err)
			require.NoError(t, os.Symlink(path, filepath.Join(m.bin, name)))
		}
		command := exec.CommandContext(t.Context(), "/bin/sh", "../../scripts/go-findings", "go1.26.10", "go1.27.3")
		command.Env = []string{"PATH=" + m.bin}
		out, err := command.CombinedOutput()
		require.NoError(t, err, version)
		if want == "" {
			assert.Empty(t, string(out), version)
		} else {
			assert.Regexp(t, "^"+regexp.QuoteMeta(version+" has known")+".*"+regexp.QuoteMeta(want)+"\n$", string(out))
		}
	}
}

// TestReleaseToolchain verifies that the Makefile and deploy/Dockerfile name the same version of the Go toolchain.
func TestReleaseToolchain(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	release := regexp.MustCompile(`(?m)^RELEASE_GO := go(\S+)$`).FindSubmatch(makefile)
	require.NotNil(t, release)
	dockerfile, err := os.ReadFile("../../deploy/Dockerfile")
	require.NoError(t, err)
	assert.Contains(t, string(dockerfile), "\nENV GOTOOLCHAIN=go"+string(release[1])+"\n")
}
