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

// unitFolder has the systemd unit and the example of its settings.
const unitFolder = "../../deploy/systemd/"

// unitLines returns the assignments of a file in unitFolder. If examples is set, it also returns assignments in
// comments.
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

// TestSystemdSetsWhatLockboxReads verifies that the settings of the unit and of its example are settings that the
// program knows.
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
