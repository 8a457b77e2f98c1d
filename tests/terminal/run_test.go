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

// withEntries is the home of somebody whose server has a box "prod", and whose environment has all that lockbox needs.
func withEntries(t *testing.T, settings ...string) entries {
	t.Helper()
	h := newHome(t, settings...)
	h.api("POST", "/boxes/prod", "", nil)
	return entries{h, h.environ("NO_COLOR=1", "LOCKBOX_API_URL="+h.server.URL, "LOCKBOX_API_KEY="+h.root,
		"LOCKBOX_ENCRYPTION_KEY="+encryptionKey)}
}

type entries struct {
	home
	env []string
}

func (e entries) at(args ...string) *screen {
	e.t.Helper()
	return at(e.t, e.env, args...)
}

// lockbox runs a lockbox without a terminal, which must end well.
func (e entries) lockbox(args ...string) string {
	e.t.Helper()
	command := exec.Command(binary, args...)
	command.Env = e.env
	out, err := command.CombinedOutput()
	require.NoError(e.t, err, "%s", out)
	return string(out)
}

func TestCtrlCReachesTheProgramOnce(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.lockbox("set", "prod/app", "x")
	run := u.at("run", "prod/app", "--", "bash", "-c",
		`n=0; trap 'n=$((n+1)); echo "caught $n"' INT; echo ready; for i in 1 2 3 4 5 6; do sleep 0.1; done; echo "in all $n"; exit 9`)
	run.expect("ready")
	_, err := run.keyboard.Write([]byte{3}) // what Ctrl-C types
	require.NoError(t, err)
	run.expect("in all 1")
	run.ends(9) // the program decides what Ctrl-C does
	assert.Equal(t, 1, strings.Count(run.String(), "caught"))
}

func TestCtrlCEndsAProgramThatDoesNotCatchIt(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.lockbox("set", "prod/app", "x")
	run := u.at("run", "prod/app", "--", "sh", "-c", "echo ready; exec sleep 30")
	run.expect("ready")
	_, err := run.keyboard.Write([]byte{3})
	require.NoError(t, err)
	require.ErrorContains(t, <-run.ended, "signal: interrupt", "a shell says 130")
}

// What other users of the machine see of a program is its arguments; what the same user sees is its environment too.
func TestRunningShowsNoSecret(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Log("this system shows the environment of no program")
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
		"this is the program that was asked for")
	for _, secret := range []string{u.root, encryptionKey} {
		assert.NotContains(t, string(environ), secret)
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	require.NoError(t, err)
	assert.Contains(t, string(status), fmt.Sprintf("PPid:\t%d\n", os.Getpid()), "the program took the place of lockbox")
	run.enter("over")
	run.ends(0)
}

// A long import shows how far it has come, on a terminal alone.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "NAME_%d=%d\n", i, i)
	}
	path := file(t, "many.env", lines.String())
	run := u.at("import", "prod/app", path, "--each")
	run.expect(`\rWriting \[#{30}\] 40 of 40`)
	run.expect(`Done: 40 added, 0 changed, 0 removed, 0 unchanged\.`)
	run.ends(0)

	require.NoError(t, os.WriteFile(path, []byte(lines.String()+"NAME_0=other\n"), 0o600))
	run = u.at("import", "prod/app", path, "--each")
	run.expect(`prod/app: 0 added, 1 changed, 0 removed, 39 unchanged\. Go on\? \[y/N\]`)
	run.enter("n")
	run.expect("nothing was done")
	run.ends(1)
	assert.Equal(t, "0", u.lockbox("get", "prod/app/name_0", "--raw"))
}

// An import that is broken off says how far it came, and the same command goes on from there.
func TestImportThatIsBrokenOffGoesOn(t *testing.T) {
	t.Parallel()
	u := withEntries(t, "MAX_ENTRIES_PER_BOX=6")
	u.lockbox("set", "prod/other", "x")
	const ten = "A=1\nB=2\nC=3\nD=4\nE=5\nF=6\nG=7\nH=8\nI=9\nJ=10\n"
	path := file(t, "ten.env", ten)
	run := u.at("import", "prod/app", path, "--each")
	run.expect(`prod/app/\w: .*; 5 of 10 entries are written, and the same command goes on from there`)
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
	run.expect(`Done: 0 added, 0 changed, 0 removed, 5 unchanged\.`)
	run.ends(0)
}

// Somebody else's value must not steer the terminal of who reads it.
func TestValuesDoNotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.lockbox("set", "prod/evil", "@"+file(t, "evil", "a\x1b]0;title\x07\nb\tc"))
	run := u.at("get", "prod/evil", "--raw")
	run.expect("c\r\n")
	run.ends(0)
	assert.Equal(t, "a\ufffd]0;title\ufffd\r\nb\tc\r\n", run.String())
	assert.Equal(t, "a\x1b]0;title\x07\nb\tc", u.lockbox("get", "prod/evil", "--raw"),
		"to the byte where it is no terminal")
}

// A value that is typed is not shown, and neither is the key, which is asked for twice.
func TestSetAsksForWhatItIsNotTold(t *testing.T) {
	t.Parallel()
	u := withEntries(t)
	u.env = u.env[:len(u.env)-1] // no encryption key
	run := u.at("set", "prod/typed")
	run.hidden("Value: ", "hunter2")
	run.hidden("Encryption key: ", "a passphrase")
	run.hidden("Once more: ", "a passphrase")
	run.expect("prod/typed is at version 1.")
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
