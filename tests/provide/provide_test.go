// Package provide tests scripts/provide on a simulated machine, which has none of the programs that the script can
// install. Fake package managers log their arguments.
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

// installer is a fake package manager. It logs its arguments, and creates an empty program for each part that
// scripts/provide can install.
const installer = `#!/bin/sh
echo "$(basename "$0") $*" >>"$LOG"
for program in gcc git curl jq oathtool python3 node npm mcs mono dockerd chromium patroni etcd; do
	printf '#!/bin/sh\n' >"$BIN/$program"
	chmod 755 "$BIN/$program"
done
mkdir -p "$BIN/../lib/mono" && : >"$BIN/../lib/mono/System.Net.Http.dll"
`

// machine is a directory with programs, with or without a package manager. The script runs with this directory as the
// only one in PATH.
type machine struct {
	t   *testing.T
	bin string
}

func newMachine(t *testing.T, manager string) machine {
	t.Helper()
	m := machine{t, filepath.Join(t.TempDir(), "bin")}
	require.NoError(t, os.Mkdir(m.bin, 0o700))
	for _, name := range []string{
		"sh", "id", "env", "mktemp", "rm", "cat", "mkdir", "chmod", "basename", "dirname", "find", "sed", "true",
	} {
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
	// This process must not write the file itself. A parallel test could fork a child at that moment, and the child
	// would inherit the open file. Running the file would then fail with ETXTBSY. A shell therefore writes it.
	const script = `cat >"$1" && chmod 700 "$1"`
	command := exec.CommandContext(m.t.Context(), "/bin/sh", "-c", script, "sh", filepath.Join(m.bin, name))
	command.Stdin = strings.NewReader(text)
	require.NoError(m.t, command.Run())
}

// provide runs the script. It returns the output, the log of the package manager, and an error if the script failed.
func (m machine) provide(parts ...string) (output, calls string, err error) {
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

// parts lists the parts that the tests install. It omits postgres, because the script finds PostgreSQL outside PATH,
// and because the installation of PostgreSQL changes a system file. It omits docker, because the script finds Docker in
// /usr/sbin.
var parts = []string{"gcc", "git", "curl", "jq", "oathtool", "python3", "node", "npm", "mono", "patroni", "etcd"}

func TestMissingPartsAreInstalled(t *testing.T) {
	t.Parallel()
	for _, part := range parts {
		m := newMachine(t, "apt-get")
		output, calls, err := m.provide(part)
		require.NoError(t, err, "%s: %s", part, output)
		assert.Contains(t, calls, "apt-get install -y --no-install-recommends", part)
		output, again, err := m.provide(part)
		require.NoError(t, err, part)
		assert.Empty(t, output, "%s is installed: no output", part)
		assert.Equal(t, calls, again, "%s is installed: no second installation", part)
	}
}

func TestOtherPackageManagers(t *testing.T) {
	t.Parallel()
	for manager, want := range map[string]string{
		"dnf":    "dnf install -y jq\n",
		"apk":    "apk add jq\n",
		"pacman": "pacman -Sy --needed --noconfirm jq\n",
	} {
		output, calls, err := newMachine(t, manager).provide("jq")
		require.NoError(t, err, output)
		assert.Equal(t, want, calls)
	}
}

func TestInstructions(t *testing.T) {
	t.Parallel()
	output, _, err := newMachine(t, "").provide("jq")
	require.Error(t, err)
	assert.Equal(t, "provide: jq is missing: install it with your system's package manager\n", output)

	output, _, err = newMachine(t, "apt-get").provide("nonsense")
	require.Error(t, err)
	assert.Contains(t, output, "there is no part named nonsense")
}
