//go:build unix

package terminal

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withEntries returns a home directory and a server with the box prod. The environment contains all settings that
// lockbox needs to read and write entries in this box.
func withEntries(t *testing.T, settings ...string) entries {
	t.Helper()
	h := newHome(t, settings...)
	h.api("POST", "/boxes/prod", "", nil)
	return entries{h, h.environ("NO_COLOR=1", "LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)}
}

// An entries value is a home directory together with the environment of commands that read and write entries.
type entries struct {
	home
	env []string
}

func (e entries) at(args ...string) *screen {
	e.t.Helper()
	return at(e.t, e.env, args...)
}

// lockbox runs lockbox without a terminal and requires success.
func (e entries) lockbox(args ...string) string {
	e.t.Helper()
	command := exec.Command(binary, args...)
	command.Env = e.env
	out, err := command.CombinedOutput()
	require.NoError(e.t, err, "%s", out)
	return string(out)
}

// TestCtrlCReachesProgramOnce checks that the program gets exactly one signal for Ctrl-C. The terminal sends this
// signal, and lockbox must not send another one.
func TestCtrlCReachesProgramOnce(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.lockbox("set", "prod/app", "x")
	run := u.at("run", "prod/app", "--", "bash", "-c",
		`n=0; trap 'n=$((n+1)); echo "caught $n"' INT; echo ready; for i in 1 2 3 4 5 6; do sleep 0.1; done; `+
			`echo "total $n"; exit 9`)
	run.expect("ready")
	_, err := run.keyboard.Write([]byte{3}) // Ctrl-C
	require.NoError(t, err)
	run.expect("total 1")
	run.ends(9) // the program decides how to handle Ctrl-C
	assert.Equal(t, 1, strings.Count(run.String(), "caught"))
}

// TestCtrlCEndsProgram checks that Ctrl-C ends a program without a signal handler.
func TestCtrlCEndsProgram(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.lockbox("set", "prod/app", "x")
	run := u.at("run", "prod/app", "--", "sh", "-c", "echo ready; exec sleep 30")
	run.expect("ready")
	_, err := run.keyboard.Write([]byte{3})
	require.NoError(t, err)
	require.ErrorContains(t, <-run.ended, "signal: interrupt", "a shell reports 130")
}

// TestRunLeaksNoSecret checks that no process has a secret in its arguments, because other users can see arguments. It
// also checks that the started program does not inherit the API key and the encryption key in its environment.
func TestRunLeaksNoSecret(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Log("this system has no /proc/PID/environ")
		return
	}
	u := withEntries(t)
	u.lockbox("set", "prod/app", "@"+file(t, "app.json", `{"password":"canary-of-a-running-program"}`))
	run := u.at("run", "prod/app", "--", "sh", "-c", `echo "pid $$"; read line; echo "$line"`)
	run.expect(`pid \d+\r`)
	processes, err := exec.Command("ps", "axww", "-o", "pid,args").Output()
	require.NoError(t, err)
	for _, secret := range []string{"canary-of-a-running-program", u.root, encryptionKey} {
		assert.NotContains(t, string(processes), secret)
	}
	pid := regexp.MustCompile(`pid (\d+)`).FindStringSubmatch(run.String())[1]
	environ, err := os.ReadFile("/proc/" + pid + "/environ")
	require.NoError(t, err)
	assert.Contains(t, string(environ), "PASSWORD=canary-of-a-running-program",
		"this is the environment of the started program")
	for _, secret := range []string{u.root, encryptionKey} {
		assert.NotContains(t, string(environ), secret)
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	require.NoError(t, err)
	assert.Contains(t, string(status), fmt.Sprintf("PPid:\t%d\n", os.Getpid()), "the program replaced lockbox")
	run.enter("over")
	run.ends(0)
}

// TestProgress checks the progress bar of a long import on a terminal.
func TestProgress(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "NAME_%d=%d\n", i, i)
	}
	path := file(t, "many.env", lines.String())
	run := u.at("import", "prod/app", path, "--each")
	run.expect(`\rWriting \[#{30}\] 40 of 40`)
	run.expect(`Imported: 40 added, 0 changed, 0 removed, 0 unchanged\.`)
	run.ends(0)

	require.NoError(t, os.WriteFile(path, []byte(lines.String()+"NAME_0=other\n"), 0o600))
	run = u.at("import", "prod/app", path, "--each")
	run.expect(`prod/app: 0 added, 1 changed, 0 removed, 39 unchanged\. Continue\? \[y/N\]`)
	run.enter("n")
	run.expect("nothing was changed")
	run.ends(1)
	assert.Equal(t, "0", u.lockbox("get", "prod/app/name_0", "--raw"))
}

// TestInterruptedImport checks that a failed import reports how many entries it has written. The same command must then
// continue the import.
func TestInterruptedImport(t *testing.T) {
	t.Parallel()
	u := withEntries(t, "MAX_ENTRIES_PER_BOX=6")
	u.lockbox("set", "prod/other", "x")
	const ten = "A=1\nB=2\nC=3\nD=4\nE=5\nF=6\nG=7\nH=8\nI=9\nJ=10\n"
	path := file(t, "ten.env", ten)
	run := u.at("import", "prod/app", path, "--each")
	run.expect(`prod/app/\w: .*; wrote 5 of 10 entries; run the same command again to continue`)
	run.ends(6)
	written := strings.Fields(u.lockbox("list", "prod/app/"))
	require.Len(t, written, 5)

	lines := ""
	for _, key := range written {
		name := strings.ToUpper(strings.TrimPrefix(key, "app/"))
		lines += regexp.MustCompile(name + `=\d+\n`).FindString(ten)
	}
	require.NoError(t, os.WriteFile(path, []byte(lines), 0o600))
	run = u.at("import", "prod/app", path, "--each")
	run.expect(`Imported: 0 added, 0 changed, 0 removed, 5 unchanged\.`)
	run.ends(0)
}

// TestValueCannotControlTerminal checks that lockbox get replaces control characters of a value if standard output is a
// terminal. Otherwise it must not change the value.
func TestValueCannotControlTerminal(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.lockbox("set", "prod/evil", "@"+file(t, "evil", "a\x1b]0;title\x07\nb\tc"))
	run := u.at("get", "prod/evil", "--raw")
	run.expect("c\r\n")
	run.ends(0)
	assert.Equal(t, "a\ufffd]0;title\ufffd\r\nb\tc\r\n", run.String())
	assert.Equal(t, "a\x1b]0;title\x07\nb\tc", u.lockbox("get", "prod/evil", "--raw"),
		"unchanged in a pipe")
}

// TestSetPrompts checks that lockbox set asks for the value and the key without showing them.
func TestSetPrompts(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.env = u.env[:len(u.env)-1] // no encryption key
	run := u.at("set", "prod/typed")
	run.hidden("Value: ", "hunter2")
	run.hidden("Encryption key: ", "a passphrase")
	run.hidden("Repeat: ", "a passphrase")
	run.expect("Stored prod/typed, version 1.")
	run.ends(0)
	assert.NotContains(t, run.String(), "hunter2")
	assert.NotContains(t, run.String(), "passphrase")
	u.env = append(u.env, "LOCKBOX_ENCRYPTION_KEY=a passphrase")
	assert.Equal(t, "hunter2", u.lockbox("get", "prod/typed", "--raw"))
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
