//go:build e2e && linux

package release

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// mountScratch is a shell script. It mounts a writable copy of the root file system at $1/root, and the folder $2 at
// /mnt inside the copy. In the copy, a fake systemctl logs its arguments, and /run looks as if systemd were running. At
// the end, the script waits until its standard input is closed.
const mountScratch = `set -eu
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
mount --rbind /dev "$1/root/dev"
mount --rbind /proc "$1/root/proc"
mount --bind "$2" "$1/root/mnt"
rm -f "$1/root/usr/bin/systemctl"
printf '#!/bin/sh\necho "$*" >>/systemctl.log\n' >"$1/root/usr/bin/systemctl"
chmod 755 "$1/root/usr/bin/systemctl"
: >"$1/root/systemctl.log"
mkdir -p "$1/root/run/systemd/system"
echo ready
read -r _ || :
`

// scratch is a writable copy of this machine's root file system. Commands in the copy have no network, and do not
// change the files of the machine. The copy exists in a mount namespace, which disappears when the test ends.
type scratch struct {
	t     *testing.T
	enter []string // the command that runs another command in the copy
}

// newScratch creates a copy. In the copy, the folder that the argument packages names is mounted at /mnt.
func newScratch(t *testing.T, packages string) scratch {
	t.Helper()
	folder := t.TempDir()
	args := []string{"--mount", "--net", "--propagation", "private"}
	enter := []string{"nsenter", "--mount", "--net"}
	if os.Geteuid() != 0 {
		// If the tests do not run as root, they create a user namespace, which maps their user to root. The namespace
		// also maps the user IDs that /etc/subuid lists for this user.
		args = append(args, "--map-root-user", "--map-auto")
		enter = append(enter, "--user")
	}
	args = append(args, "sh", "-c", mountScratch, "sh", folder, packages)
	holder := exec.CommandContext(t.Context(), "unshare", args...)
	holder.Stderr = os.Stderr
	stdin, err := holder.StdinPipe()
	require.NoError(t, err)
	stdout, err := holder.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = holder.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	enter = append(enter, "--target", strconv.Itoa(holder.Process.Pid), "chroot", filepath.Join(folder, "root"))
	return scratch{t, enter}
}

// sh runs a line of shell in the copy and returns its output.
func (s scratch) sh(line string) string {
	s.t.Helper()
	args := append(append([]string(nil), s.enter[1:]...), "/bin/sh", "-euc", line)
	return run(s.t, []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, s.enter[0], args...)
}

// systemctl returns the arguments of all systemctl calls since the previous call of this method.
func (s scratch) systemctl() string {
	s.t.Helper()
	return s.sh("cat /systemctl.log; : >/systemctl.log")
}
