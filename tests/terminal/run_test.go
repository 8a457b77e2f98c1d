//go:build unix

package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/testserver"
)

const encryptionKey = "lbk1_AQIDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAamXFOS"

// user is somebody who runs lockbox against a server of its own, with a box "prod".
type user struct {
	t      *testing.T
	env    []string
	apiKey string
}

func newUser(t *testing.T) *user {
	t.Helper()
	server := testserver.Start(t)
	var made struct{ APIKey string }
	_, err := send(server.URL, "", "POST", "/init", `{"username":"root","password":"root-password"}`, &made)
	require.NoError(t, err)
	_, err = send(server.URL, made.APIKey, "POST", "/boxes/prod", "", nil)
	require.NoError(t, err)
	return &user{t: t, apiKey: made.APIKey, env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TERM=xterm", "NO_COLOR=1",
		"LOCKBOX_API_URL=" + server.URL, "LOCKBOX_API_KEY=" + made.APIKey, "LOCKBOX_ENCRYPTION_KEY=" + encryptionKey,
	}}
}

func (u *user) command(args ...string) *exec.Cmd {
	command := exec.Command(binary, args...)
	command.Env, command.Dir = u.env, u.t.TempDir()
	return command
}

func (u *user) lockbox(args ...string) string {
	u.t.Helper()
	out, err := u.command(args...).CombinedOutput()
	require.NoError(u.t, err, "%s", out)
	return string(out)
}

// onTerminal is a command at a terminal of its own, which belongs to no other program.
type onTerminal struct {
	t       *testing.T
	command *exec.Cmd
	screen  *os.File
	mutex   sync.Mutex
	seen    bytes.Buffer
	gone    chan struct{}
}

func (u *user) atTerminal(args ...string) *onTerminal {
	u.t.Helper()
	run := &onTerminal{t: u.t, command: u.command(args...), gone: make(chan struct{})}
	var err error
	run.screen, err = pty.StartWithSize(run.command, &pty.Winsize{Rows: 24, Cols: 200})
	require.NoError(u.t, err)
	u.t.Cleanup(func() {
		_ = run.command.Process.Kill()
		_ = run.screen.Close()
		<-run.gone
	})
	go func() {
		defer close(run.gone)
		_, _ = io.Copy(run, run.screen) // ends with EIO when the program has gone
	}()
	return run
}

func (o *onTerminal) Write(text []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.seen.Write(text)
}

func (o *onTerminal) text() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.seen.String()
}

func (o *onTerminal) waitFor(text string) {
	o.t.Helper()
	require.Eventually(o.t, func() bool { return strings.Contains(o.text(), text) }, 20*time.Second, 10*time.Millisecond, "no %q in %q", text, o)
}

func (o *onTerminal) String() string { return o.text() }

// end waits for the program, and returns its exit code as a shell would tell it.
func (o *onTerminal) end() int {
	_ = o.command.Wait()
	<-o.gone
	return o.command.ProcessState.ExitCode()
}

func TestCtrlCReachesTheProgramOnce(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.lockbox("set", "prod/app", "x")
	run := u.atTerminal("run", "prod/app", "--", "bash", "-c",
		`n=0; trap 'n=$((n+1)); echo "caught $n"' INT; echo ready; for i in 1 2 3 4 5 6; do sleep 0.1; done; echo "in all $n"; exit 9`)
	run.waitFor("ready")
	_, err := run.screen.Write([]byte{3}) // what Ctrl-C types
	require.NoError(t, err)
	run.waitFor("in all")
	assert.Equal(t, 9, run.end(), "the program decides what Ctrl-C does")
	assert.Contains(t, run.text(), "in all 1")
	assert.Equal(t, 1, strings.Count(run.text(), "caught"))
}

func TestCtrlCEndsAProgramThatDoesNotCatchIt(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.lockbox("set", "prod/app", "x")
	run := u.atTerminal("run", "prod/app", "--", "sh", "-c", "echo ready; exec sleep 30")
	run.waitFor("ready")
	_, err := run.screen.Write([]byte{3})
	require.NoError(t, err)
	_ = run.end()
	assert.Equal(t, "signal: interrupt", run.command.ProcessState.String(), "a shell says 130")
}

// What other users of the machine see of a program is its arguments; what the same user sees is its environment too.
func TestRunningShowsNoSecret(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/proc/self/environ"); err != nil {
		t.Log("this system shows the environment of no program")
		return
	}
	u := newUser(t)
	u.lockbox("set", "prod/app", "@"+file(t, "app.json", `{"password":"hunter2"}`))
	run := u.atTerminal("run", "prod/app", "--", "sh", "-c", `echo "pid $$"; read line; echo "$line"`)
	run.waitFor("pid ")
	processes, err := exec.Command("ps", "axww", "-o", "pid,args").Output()
	require.NoError(t, err)
	for _, secret := range []string{"hunter2", u.apiKey, encryptionKey} {
		assert.NotContains(t, string(processes), secret)
	}
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", run.command.Process.Pid))
	require.NoError(t, err)
	assert.Contains(t, string(environ), "PASSWORD=hunter2", "this is the program that was asked for")
	for _, secret := range []string{u.apiKey, encryptionKey} {
		assert.NotContains(t, string(environ), secret)
	}
	assert.Contains(t, run.text(), fmt.Sprintf("pid %d\r\n", run.command.Process.Pid), "the program took lockbox's place")
	_, err = run.screen.WriteString("over\n")
	require.NoError(t, err)
	assert.Equal(t, 0, run.end())
}

// A long import shows how far it has come, on a terminal alone.
func TestProgressOnATerminal(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	var lines strings.Builder
	for i := range 40 {
		fmt.Fprintf(&lines, "NAME_%d=%d\n", i, i)
	}
	path := file(t, "many.env", lines.String())
	run := u.atTerminal("import", "prod/app", path, "--each")
	assert.Equal(t, 0, run.end())
	assert.Contains(t, run.text(), "\rWriting [##############################] 40 of 40")
	assert.Contains(t, run.text(), "Done: 40 added, 0 changed, 0 removed, 0 unchanged.")

	require.NoError(t, os.WriteFile(path, []byte(lines.String()+"NAME_0=other\n"), 0o600))
	run = u.atTerminal("import", "prod/app", path, "--each")
	run.waitFor("prod/app: 0 added, 1 changed, 0 removed, 39 unchanged. Go on? [y/N]")
	_, err := run.screen.WriteString("n\n")
	require.NoError(t, err)
	assert.Equal(t, 1, run.end())
	assert.Contains(t, run.text(), "nothing was done")
	assert.Equal(t, "0", u.lockbox("get", "prod/app/name_0", "--raw"))
}

// Somebody else's value must not steer the terminal of who reads it.
func TestValuesDoNotSteerTheTerminal(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.lockbox("set", "prod/evil", "@"+file(t, "evil", "a\x1b]0;title\x07\nb\tc"))
	run := u.atTerminal("get", "prod/evil", "--raw")
	assert.Equal(t, 0, run.end())
	assert.Equal(t, "a\ufffd]0;title\ufffd\r\nb\tc\r\n", run.text())
	assert.Equal(t, "a\x1b]0;title\x07\nb\tc", u.lockbox("get", "prod/evil", "--raw"), "to the byte where it is no terminal")
}

// A value that is typed is not shown, and neither is the key, which is asked for twice.
func TestSetAsksForWhatItIsNotTold(t *testing.T) {
	t.Parallel()
	u := newUser(t)
	u.env = u.env[:len(u.env)-1] // no encryption key
	run := u.atTerminal("set", "prod/typed")
	for _, step := range [][2]string{{"Value: ", "hunter2"}, {"Encryption key: ", "a passphrase"}, {"Once more: ", "a passphrase"}} {
		run.waitFor(step[0])
		time.Sleep(50 * time.Millisecond) // the echo is switched off after the question
		_, err := run.screen.WriteString(step[1] + "\n")
		require.NoError(t, err)
	}
	assert.Equal(t, 0, run.end(), run)
	assert.Contains(t, run.text(), "prod/typed is at version 1.")
	assert.NotContains(t, run.text(), "hunter2")
	assert.NotContains(t, run.text(), "passphrase")
	u.env = append(u.env, "LOCKBOX_ENCRYPTION_KEY=a passphrase")
	assert.Equal(t, "hunter2", u.lockbox("get", "prod/typed", "--raw"))
}

func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}
