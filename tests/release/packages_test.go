//go:build e2e && linux

package release

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// packageFormat contains the commands of a package manager. The packages are in the folder /mnt. The commands ignore
// dependencies, because the tests install packages of both formats, deb and rpm, on the same machine.
type packageFormat struct {
	extension        string
	install, upgrade string // take the path of a package
	verify           string // prints the installed files that differ from the package
	remove           string
	offered          string // the new default file after an upgrade that keeps a changed file
	removed          string // the changed file after the removal
}

var (
	deb = packageFormat{
		extension: "deb",
		install:   "dpkg --ignore-depends=passwd --install",
		// With these options, dpkg keeps a changed configuration file and asks no question. Without a terminal, apt
		// does the same.
		upgrade: "dpkg --ignore-depends=passwd --force-confdef --force-confold --install",
		verify:  "dpkg --verify lockbox",
		remove:  "dpkg --remove lockbox",
		offered: "lockbox.env.dpkg-dist",
		removed: "lockbox.env",
	}
	// On Debian, rpm installs packages only with the option --force-debian. On other distributions, rpm does not have
	// this option.
	rpm = packageFormat{
		extension: "rpm",
		install:   "rpm --nodeps $(rpm --help | grep -o -e --force-debian) --install",
		upgrade:   "rpm --nodeps $(rpm --help | grep -o -e --force-debian) --upgrade",
		verify:    "rpm --verify lockbox",
		remove:    "rpm --erase lockbox",
		offered:   "lockbox.env.rpmnew",
		removed:   "lockbox.env.rpmsave",
	}
)

// path returns the path of a package. The path is valid inside the copy of the root file system in which the tests run.
func (f packageFormat) path(version string) string {
	return "/mnt/lockbox-" + version + "-" + runtime.GOARCH + "." + f.extension
}

// newDefault is a line at the end of lockbox.env in v0.0.2.
const newDefault = "# A new comment.\n"

// buildNewerPackages creates packages of v0.0.2 in the given folder. They contain the binary of v0.0.1, but a
// lockbox.env that differs from that of v0.0.1.
func buildNewerPackages(t *testing.T, folder string) {
	t.Helper()
	source := t.TempDir()
	for _, name := range []string{"LICENSE", "CHANGELOG.md", "README.md", "SECURITY.md", "docs", "scripts", "deploy"} {
		run(t, nil, "cp", "-r", filepath.Join("../..", name), source)
	}
	settings, err := os.OpenFile(filepath.Join(source, "deploy/systemd/lockbox.env"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = settings.WriteString(newDefault)
	require.NoError(t, err)
	require.NoError(t, settings.Close())
	for _, name := range []string{"linux-" + runtime.GOARCH, "licenses.txt"} {
		older, newer := filepath.Join(folder, "lockbox-v0.0.1-"+name), filepath.Join(folder, "lockbox-v0.0.2-"+name)
		require.NoError(t, os.Link(older, newer))
	}
	nfpm := strings.TrimSpace(run(t, nil, "make", "-C", "../..", "-s", "--no-print-directory", "nfpm"))
	run(t, []string{"NFPM=" + nfpm, "SOURCE_DATE_EPOCH=1700000000"},
		filepath.Join(source, "scripts/package"), "v0.0.2", runtime.GOARCH, folder)
}

// checkPackage installs, upgrades and removes a package. If changed is set, checkPackage edits lockbox.env before the
// upgrade, as an operator would.
func checkPackage(t *testing.T, format packageFormat, folder string, changed bool) {
	t.Helper()
	s := newScratch(t, folder)
	s.sh(format.install + " " + format.path("v0.0.1"))
	checkInstalled(t, s, format)
	require.Equal(t, "daemon-reload\ntry-restart lockbox.service\n", s.systemctl())

	s.sh("umask 077; echo a-secret >/etc/lockbox/secret-key")
	if changed {
		s.sh("echo LOCKBOX_LOG_LEVEL=debug >>/etc/lockbox/lockbox.env")
	}
	s.sh(format.upgrade + " " + format.path("v0.0.2"))
	checkUpgraded(t, s, format, changed)
	require.Contains(t, s.systemctl(), "daemon-reload\ntry-restart lockbox.service\n")

	s.sh(format.remove)
	require.Equal(t, "disable --now lockbox.service\ndaemon-reload\n", s.systemctl())
	require.Equal(t, "a-secret\n", s.sh("cat /etc/lockbox/secret-key"))
	s.sh("! test -e /usr/bin/lockbox && ! test -e /usr/lib/systemd/system/lockbox.service && id lockbox")
	if changed {
		require.Contains(t, s.sh("cat /etc/lockbox/"+format.removed), "LOCKBOX_LOG_LEVEL=debug\n")
	}
}

// checkInstalled verifies what an installation creates: the files with their owners and modes, the user lockbox, and
// the systemd unit.
func checkInstalled(t *testing.T, s scratch, format packageFormat) {
	t.Helper()
	require.Empty(t, s.sh(format.verify))
	require.Equal(t, `drwxr-x--- root:lockbox /etc/lockbox
-rw-r----- root:lockbox /etc/lockbox/lockbox.env
-rwxr-xr-x root:root /usr/bin/lockbox
-rw-r--r-- root:root /usr/lib/systemd/system/lockbox.service
-rw-r--r-- root:root /usr/share/doc/lockbox/CHANGELOG.md
-rw-r--r-- root:root /usr/share/doc/lockbox/README.md
-rw-r--r-- root:root /usr/share/doc/lockbox/SECURITY.md
-rw-r--r-- root:root /usr/share/doc/lockbox/copyright
drwxr-xr-x root:root /usr/share/doc/lockbox/deploy
drwxr-xr-x root:root /usr/share/doc/lockbox/docs
-rw-r--r-- root:root /usr/share/doc/lockbox/licenses.txt
`, s.sh("find /etc/lockbox /usr/bin/lockbox /usr/lib/systemd/system/lockbox.service /usr/share/doc/lockbox "+
		`! -path /usr/share/doc/lockbox ! -path '/usr/share/doc/lockbox/*/*' `+
		`-printf '%M %u:%g %p\n' | LC_ALL=C sort -k 3`))
	s.sh("cd /usr/share/doc/lockbox && test -e docs/settings.md && test -e deploy/proxies/nginx.conf")
	require.Regexp(t, `^lockbox:x:\d+:\d+::/nonexistent:/usr/sbin/nologin\n$`, s.sh("getent passwd lockbox"))
	require.Equal(t, "lockbox\n", s.sh("id -Gn lockbox"))
	require.Equal(t, "v0.0.1\n", s.sh("lockbox version | head -n 1"))
	s.sh("systemd-analyze verify /usr/lib/systemd/system/lockbox.service")
	require.Empty(t, s.sh("find /etc/systemd/system -name 'lockbox*'"), "the service is not enabled")
}

// checkUpgraded verifies the files after an upgrade. If lockbox.env was changed, the upgrade must keep it, and install
// the new default file under another name. Otherwise, the upgrade must replace lockbox.env.
func checkUpgraded(t *testing.T, s scratch, format packageFormat, changed bool) {
	t.Helper()
	require.Equal(t, "drwxr-x--- root:lockbox\n", s.sh("stat -c '%A %U:%G' /etc/lockbox"))
	require.Equal(t, "a-secret\n", s.sh("cat /etc/lockbox/secret-key"))
	settings := s.sh("cat /etc/lockbox/lockbox.env")
	if !changed {
		require.True(t, strings.HasSuffix(settings, newDefault), settings)
		return
	}
	require.True(t, strings.HasSuffix(settings, "LOCKBOX_LOG_LEVEL=debug\n"), settings)
	require.NotContains(t, settings, newDefault)
	require.Contains(t, s.sh("cat /etc/lockbox/"+format.offered), newDefault)
}
