//go:build e2e && linux

package release

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// target is the operating system and architecture of the release that the tests build. A real release has several
// targets.
const target = "linux/" + runtime.GOARCH

// TestRelease builds the same release twice and compares the files. It then installs the packages.
func TestRelease(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	out := run(t, []string{"KEEP=" + folder}, "make", "-C", "../..", "--no-print-directory", "verify-release",
		"VERSION=v0.0.1", "RELEASE_TARGETS="+target)
	files := []string{
		"-" + runtime.GOARCH + ".deb", "-" + runtime.GOARCH + ".rpm", "-licenses.txt",
		"-linux-" + runtime.GOARCH, "-linux-" + runtime.GOARCH + ".cdx.json",
	}
	for _, file := range files {
		require.Contains(t, out, "  lockbox-v0.0.1"+file+"\n")
	}
	require.Equal(t, len(files), strings.Count(out, "  lockbox-v0.0.1"))

	t.Run("licenses", func(t *testing.T) {
		t.Parallel()
		checkLicenses(t, folder)
	})
	t.Run("damage", func(t *testing.T) {
		t.Parallel()
		checkDamage(t, folder)
	})
	buildNewerPackages(t, folder)
	for _, format := range []packageFormat{deb, rpm} {
		for _, changed := range []bool{false, true} {
			t.Run(format.extension+map[bool]string{true: " changed"}[changed], func(t *testing.T) {
				t.Parallel()
				checkPackage(t, format, folder, changed)
			})
		}
	}
}

// run runs a command with additional environment variables, and returns its output.
func run(t *testing.T, environ []string, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Env = append(os.Environ(), environ...)
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// checkLicenses verifies that the file licenses.txt contains the license of every module in the SBOM.
func checkLicenses(t *testing.T, folder string) {
	t.Helper()
	licenses, err := os.ReadFile(filepath.Join(folder, "lockbox-v0.0.1-licenses.txt"))
	require.NoError(t, err)
	modules := strings.Split(strings.TrimSpace(run(t, nil, "jq", "-r", `.components[] | .name + " " + .version`,
		filepath.Join(folder, "lockbox-v0.0.1-linux-"+runtime.GOARCH+".cdx.json"))), "\n")
	require.Greater(t, len(modules), 10)
	for _, module := range modules {
		if version, found := strings.CutPrefix(module, "std "); found {
			module = "Go " + version
		}
		require.Contains(t, string(licenses), "==== "+module+": ")
	}
}

// checkDamage changes one byte of a downloaded release. It verifies that verify-release refuses the release and builds
// nothing.
func checkDamage(t *testing.T, folder string) {
	t.Helper()
	download := t.TempDir()
	for _, name := range []string{"SHA256SUMS", "lockbox-v0.0.1-licenses.txt"} {
		content, err := os.ReadFile(filepath.Join(folder, name))
		require.NoError(t, err)
		if name != "SHA256SUMS" {
			content[0]++
		}
		require.NoError(t, os.WriteFile(filepath.Join(download, name), content, 0o600))
	}
	out, err := exec.CommandContext(t.Context(), "../../scripts/verify-release", "v0.0.1", download).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "lockbox-v0.0.1-licenses.txt: FAILED")
	require.Contains(t, string(out), "do not match their SHA256SUMS")
}
