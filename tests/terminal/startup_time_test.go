//go:build e2e && unix

package terminal

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestGetIsAboutAsFastAsCurl compares the median times of lockbox get and curl. Scripts may call lockbox in a loop, so
// it must start quickly. The calls alternate, so that other programs on the machine slow both equally.
func TestGetIsAboutAsFastAsCurl(t *testing.T) {
	u := withEntries(t)
	// This program is built like a release, with -trimpath and without cgo.
	shipped := t.TempDir() + "/lockbox"
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", shipped,
		"../../cmd/lockbox")
	build.Env = append(build.Environ(), "CGO_ENABLED=0")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	u.lockbox("set", "prod/app", "hello")
	get := func() *exec.Cmd {
		command := exec.Command(shipped, "get", "prod/app")
		command.Env = u.env
		return command
	}
	curl := func() *exec.Cmd {
		return exec.Command("curl", "-sS", "--fail", "-H", "Authorization: Bearer "+u.root,
			"-H", "X-Encryption-Key: "+encryptionKey, u.server.URL+"/boxes/prod/entries/app")
	}
	var ours, theirs []time.Duration
	for range 60 {
		ours, theirs = append(ours, took(t, get())), append(theirs, took(t, curl()))
	}
	ratio := float64(median(ours)) / float64(median(theirs))
	t.Logf("lockbox get takes %.2f times as long as curl (%s, %s)", ratio, median(ours), median(theirs))
	assert.Less(t, ratio, 3.0)
}

func took(t *testing.T, command *exec.Cmd) time.Duration {
	t.Helper()
	start := time.Now()
	out, err := command.Output()
	passed := time.Since(start)
	require.NoError(t, err)
	require.Equal(t, `"hello"`, strings.TrimSpace(string(out)))
	return passed
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}
