//go:build e2e && linux

// Package engine provides a Docker engine for tests. Tests use it with the docker command or over its socket.
package engine

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Network selects the container network of an engine that the test starts.
type Network bool

// The networks.
const (
	// NoBridge creates no container network. A container can use only the host's network or no network at all.
	NoBridge Network = false
	// Bridge gives containers a bridge network with published ports. The bridge belongs to the test, so other engines
	// on the machine are not affected.
	Bridge Network = true
)

// Engine is a Docker engine.
type Engine struct {
	t       testing.TB
	environ []string
	// Host is the engine's address in the format of DOCKER_HOST, or "" for the default engine.
	Host    string
	dir     string
	options []string
	daemon  *exec.Cmd
	ended   chan struct{}
	log     *bytes.Buffer
}

// Running returns the default engine of the machine if that engine responds. Otherwise, Running starts an engine with
// the option NoBridge.
func Running(t testing.TB) *Engine {
	t.Helper()
	running := &Engine{t: t, environ: os.Environ()}
	if _, err := running.Try("info"); err == nil {
		return running
	}
	return Start(t, NoBridge)
}

// Start starts an engine that stops when the test ends. Only root can start an engine. The test fails if no engine
// starts.
func Start(t testing.TB, network Network) *Engine {
	t.Helper()
	require.Zero(t, os.Geteuid(), "the test needs a Docker engine, and only root can start one: run it as root")
	var logs string
	// The storage driver overlay2 is faster, but does not work on every file system. vfs is slow, but works everywhere.
	for _, driver := range []string{"overlay2", "vfs"} {
		e := prepare(t, driver, network)
		if e.run() {
			return e
		}
		logs += e.log.String()
	}
	t.Fatalf("dockerd did not start:\n%s", logs)
	return nil
}

// prepare creates the directory and the options of an engine, and registers its cleanup.
func prepare(t testing.TB, driver string, network Network) *Engine {
	t.Helper()
	// The path of t.TempDir is too long for a Unix socket.
	dir, err := os.MkdirTemp("", "engine-")
	require.NoError(t, err)
	t.Cleanup(func() {
		unmount(dir)
		assert.NoError(t, os.RemoveAll(dir))
	})
	bridge := "none"
	if network == Bridge {
		bridge = addBridge(t)
		reservePorts(t)
	}
	e := &Engine{t: t, dir: dir, Host: "unix://" + filepath.Join(dir, "docker.sock")}
	e.environ = append(os.Environ(), "DOCKER_HOST="+e.Host, "DOCKER_BUILDKIT=0")
	e.options = []string{
		"--storage-driver=" + driver,
		"--iptables=false",
		"--ip-forward=false",
		"--bridge=" + bridge,
		"--host=" + e.Host,
		"--data-root=" + filepath.Join(dir, "data"),
		"--exec-root=" + filepath.Join(dir, "exec"),
		"--pidfile=" + filepath.Join(dir, "docker.pid"),
	}
	t.Cleanup(e.stop)
	return e
}

// run starts the daemon and reports whether it responds within 30 seconds.
func (e *Engine) run() bool {
	e.t.Helper()
	e.log = &bytes.Buffer{}
	e.daemon = exec.Command(dockerd(), e.options...)
	e.daemon.Stdout, e.daemon.Stderr = e.log, e.log
	// The kernel stops the daemon when this process ends, even if this process was killed with SIGKILL.
	e.daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(e.t, e.daemon.Start())
	e.ended = make(chan struct{})
	go func(daemon *exec.Cmd, ended chan struct{}) { _ = daemon.Wait(); close(ended) }(e.daemon, e.ended)
	for range 120 {
		if _, err := e.Try("info"); err == nil {
			return true
		}
		select {
		case <-e.ended:
			return false
		case <-time.After(250 * time.Millisecond):
		}
	}
	e.stop()
	return false
}

// stop stops the daemon and its containers, if the daemon runs.
func (e *Engine) stop() {
	if e.daemon != nil {
		_ = e.daemon.Process.Signal(syscall.SIGTERM)
		_ = e.daemon.Process.Signal(syscall.SIGCONT)
		<-e.ended
		e.endShims()
	}
}

// endShims kills the containerd shims of this engine, because a shim never exits after its containerd was killed. It
// finds the shims by the engine's directory in their arguments.
func (e *Engine) endShims() {
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(text, []byte("containerd-shim")) ||
			!bytes.Contains(text, []byte(e.dir+"/exec/")) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// unmount unmounts the file systems that are still mounted below the directory of a stopped engine. It unmounts them in
// the reverse order of mounting.
func unmount(dir string) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	lines := strings.Split(string(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
}

// Kill kills the daemon and its containerd. The containers keep running. Kill also removes containerd's PID file: on a
// machine without an init process, the killed containerd remains as a zombie, and the next daemon would mistake the
// zombie for a running containerd.
func (e *Engine) Kill() {
	_ = e.daemon.Process.Kill()
	<-e.ended
	numbers := filepath.Join(e.dir, "exec", "containerd", "containerd.pid")
	text, err := os.ReadFile(numbers)
	if err != nil {
		return
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	_ = os.Remove(numbers)
}

// Again starts the daemon again, after Kill, with the same data.
func (e *Engine) Again() {
	e.t.Helper()
	require.True(e.t, e.run(), "dockerd did not start again:\n%s", e.log)
}

// Freeze suspends the daemon until Thaw.
func (e *Engine) Freeze() { _ = e.daemon.Process.Signal(syscall.SIGSTOP) }

// Thaw resumes a suspended daemon.
func (e *Engine) Thaw() { _ = e.daemon.Process.Signal(syscall.SIGCONT) }

// dockerd returns the path of the daemon's program. Distributions install it in a directory that is not in the PATH of
// ordinary users.
func dockerd() string {
	if found, err := exec.LookPath("dockerd"); err == nil {
		return found
	}
	return "/usr/sbin/dockerd"
}

// Try runs docker and returns its output without the final newline.
func (e *Engine) Try(args ...string) (string, error) {
	return e.Command("docker", args...)
}

// Docker is like Try, for commands that must succeed.
func (e *Engine) Docker(args ...string) string {
	e.t.Helper()
	out, err := e.Try(args...)
	require.NoError(e.t, err, "docker %s\n%s", strings.Join(args, " "), out)
	return out
}

// Command runs a program with DOCKER_HOST set to the engine, and returns its output. The working directory is the root
// of the repository. The program is killed after five minutes.
func (e *Engine) Command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = "../.."
	command.Env = e.environ
	out, err := command.CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}
