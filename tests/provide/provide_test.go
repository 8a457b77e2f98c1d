// Package provide runs scripts/provide on a machine on which everything is missing, with package managers that only
// write down what they were told.
package provide

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// installer stands in for a package manager: it writes its words down, and then there is a program of each part's name.
const installer = `#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
for program in gcc git curl jq oathtool python3 node mcs mono dockerd chromium; do
	printf '#!/bin/sh\n' >"$BIN/$program"
	chmod 755 "$BIN/$program"
done
mkdir -p "$BIN/../lib/mono" && : >"$BIN/../lib/mono/System.Net.Http.dll"
`

// machine is a folder of programs with a package manager, or without one.
type machine struct {
	t   *testing.T
	bin string
}

func newMachine(t *testing.T, manager string) machine {
	t.Helper()
	m := machine{t, filepath.Join(t.TempDir(), "bin")}
	require.NoError(t, os.Mkdir(m.bin, 0o700))
	for _, name := range []string{"sh", "id", "env", "mktemp", "rm", "cat", "mkdir", "chmod", "basename", "dirname",
		"find", "sed", "true"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(m.bin, name)))
	}
	m.write("sudo", "#!/bin/sh\nshift\nexec \"$@\"\n")
	if manager != "" {
		m.write(manager, installer)
	}
	return m
}

func (m machine) write(name, text string) {
	m.t.Helper()
	// sh writes it: a file that this process had open for writing while another test forked could not be run.
	command := exec.CommandContext(m.t.Context(), "/bin/sh", "-c", `cat >"$1" && chmod 700 "$1"`, "sh",
		filepath.Join(m.bin, name))
	command.Stdin = strings.NewReader(text)
	require.NoError(m.t, command.Run())
}

// provide returns what was said, what the package manager was told, and whether it went well.
func (m machine) provide(parts ...string) (said, told string, err error) {
	m.t.Helper()
	log := filepath.Join(m.bin, "..", "log")
	script, absErr := filepath.Abs("../../scripts/provide")
	require.NoError(m.t, absErr)
	command := exec.CommandContext(m.t.Context(), "/bin/sh", append([]string{script}, parts...)...)
	command.Env = []string{"PATH=" + m.bin, "BIN=" + m.bin, "LOG=" + log, "TMPDIR=" + m.t.TempDir()}
	out, err := command.CombinedOutput()
	content, _ := os.ReadFile(log)
	return string(out), string(content), err
}

// parts are all but postgres, which is found outside PATH, and whose installation changes a file of the system; and but
// docker, which is found in /usr/sbin.
var parts = []string{"gcc", "git", "curl", "jq", "oathtool", "python3", "node", "mono"}

func TestWhatIsMissingIsInstalled(t *testing.T) {
	t.Parallel()
	for _, part := range parts {
		m := newMachine(t, "apt-get")
		said, told, err := m.provide(part)
		require.NoError(t, err, "%s: %s", part, said)
		assert.Contains(t, told, "apt-get install -y --no-install-recommends", part)
		said, again, err := m.provide(part)
		require.NoError(t, err, part)
		assert.Empty(t, said, "%s is there: nothing to say", part)
		assert.Equal(t, told, again, "%s is there: nothing to install", part)
	}
}

func TestOtherPackageManagers(t *testing.T) {
	t.Parallel()
	for manager, want := range map[string]string{"dnf": "dnf install -y jq\n", "apk": "apk add jq\n",
		"pacman": "pacman -Sy --needed --noconfirm jq\n"} {
		said, told, err := newMachine(t, manager).provide("jq")
		require.NoError(t, err, said)
		assert.Equal(t, want, told)
	}
}

func TestItSaysWhatToDo(t *testing.T) {
	t.Parallel()
	said, _, err := newMachine(t, "").provide("jq")
	require.Error(t, err)
	assert.Equal(t, "provide: jq is missing: install it with your system's package manager\n", said)

	said, _, err = newMachine(t, "apt-get").provide("nonsense")
	require.Error(t, err)
	assert.Contains(t, said, "there is no part named nonsense")
}
