package image

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// unitFolder contains the systemd unit and the example file with settings.
const unitFolder = "../../deploy/systemd/"

// unitLines returns the lines NAME=value of a file in unitFolder. If the last argument is true, it includes the lines
// that are commented out.
func unitLines(t *testing.T, name string, examples bool) []string {
	t.Helper()
	text, err := os.ReadFile(unitFolder + name)
	require.NoError(t, err)
	var lines []string
	for scanner := bufio.NewScanner(strings.NewReader(string(text))); scanner.Scan(); {
		line := scanner.Text()
		if examples {
			line = strings.TrimPrefix(line, "#")
		}
		if strings.Contains(line, "=") && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, " ") {
			lines = append(lines, line)
		}
	}
	return lines
}

// TestSystemdSetsWhatLockboxReads verifies that the program knows all settings in the unit and in the example file.
func TestSystemdSetsWhatLockboxReads(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("A", 43)+"\n"), 0o600))
	var environ []string
	for _, line := range unitLines(t, "lockbox.service", false) {
		variable, found := strings.CutPrefix(line, "Environment=")
		if !found {
			continue
		}
		name, value, _ := strings.Cut(variable, "=")
		credential, found := strings.CutPrefix(value, "%d/")
		require.True(t, found, line)
		require.Contains(t, unitLines(t, "lockbox.service", false),
			"LoadCredential="+credential+":/etc/lockbox/"+credential)
		environ = append(environ, name+"="+file)
	}
	require.Len(t, environ, 3)
	for _, line := range unitLines(t, "lockbox.env", true) {
		if !strings.Contains(line, "_TLS_") {
			environ = append(environ, line)
		}
	}
	require.Greater(t, len(environ), 6)
	config, unknown, err := boot.ReadEnvironment(environ)
	require.NoError(t, err)
	require.Empty(t, unknown)
	require.NoError(t, config.Validate())
}
