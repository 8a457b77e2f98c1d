//go:build e2e && linux

// Package engine gives tests a Docker engine, reached with the docker command or over its socket.
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

// Network is what containers of an engine of the test's own can reach.
type Network bool

// The networks.
const (
	// NoBridge leaves containers the network of the host, or none.
	NoBridge Network = false
	// Bridge gives them one of their own, with published ports. It is a bridge of the test's own too, so that no other
	// engine on this machine is disturbed.
	Bridge Network = true
)

// Engine is a Docker engine.
type Engine struct {
	t       testing.TB
	environ []string
	// Host is its address, as DOCKER_HOST has it; empty for the engine that answers without one.
	Host    string
	dir     string
	options []string
	daemon  *exec.Cmd
	ended   chan struct{}
	log     *bytes.Buffer
}

// Running returns the engine that answers already, or else one of the test's own without a bridge.
func Running(t testing.TB) *Engine {
	t.Helper()
	running := &Engine{t: t, environ: os.Environ()}
	if _, err := running.Try("info"); err == nil {
		return running
	}
	return Start(t, NoBridge)
}

// Start returns an engine of the test's own, which ends with the test. Only root can start one; the test fails where none
// can be had.
func Start(t testing.TB, network Network) *Engine {
	t.Helper()
	require.Zero(t, os.Geteuid(), "the test wants a Docker engine: be root, for nobody else can start one")
	var said string
	// overlay2 does not work on every file system; vfs does, slowly.
	for _, driver := range []string{"overlay2", "vfs"} {
		e := prepare(t, driver, network)
		if e.run() {
			return e
		}
		said += e.log.String()
	}
	t.Fatalf("dockerd did not start:\n%s", said)
	return nil
}

func prepare(t testing.TB, driver string, network Network) *Engine {
	t.Helper()
	// Not t.TempDir: its path is long for a socket.
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
	e.options = []string{"--storage-driver=" + driver, "--iptables=false", "--ip-forward=false", "--bridge=" + bridge,
		"--host=" + e.Host, "--data-root=" + filepath.Join(dir, "data"), "--exec-root=" + filepath.Join(dir, "exec"),
		"--pidfile=" + filepath.Join(dir, "docker.pid")}
	t.Cleanup(e.stop)
	return e
}

// run starts the daemon and reports whether it answers.
func (e *Engine) run() bool {
	e.t.Helper()
	e.log = &bytes.Buffer{}
	e.daemon = exec.Command(dockerd(), e.options...)
	e.daemon.Stdout, e.daemon.Stderr = e.log, e.log
	// It dies with this process, whatever happens to it.
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

// stop ends the daemon with its containers, if it runs.
func (e *Engine) stop() {
	if e.daemon != nil {
		_ = e.daemon.Process.Signal(syscall.SIGTERM)
		_ = e.daemon.Process.Signal(syscall.SIGCONT)
		<-e.ended
		e.endShims()
	}
}

// endShims ends what stands between containerd and a container, of this engine alone: one whose containerd was killed stays
// for ever. It is told by its arguments, which name the engine's folder.
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

// unmount takes away what an engine leaves mounted below a folder, what was mounted last first.
func unmount(dir string) {
	text, _ := os.ReadFile("/proc/self/mountinfo")
	lines := strings.Split(string(text), "\n")
	for i := len(lines) - 1; i >= 0; i-- {
		if fields := strings.Fields(lines[i]); len(fields) > 4 && strings.HasPrefix(fields[4], dir+"/") {
			_ = syscall.Unmount(fields[4], syscall.MNT_DETACH)
		}
	}
}

// Kill ends the daemon as kill -9 does, which leaves its containers running. Its containerd dies with it; its number is
// taken away, which would stand for a process that nobody has waited for where the machine has no init.
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

// Again starts the daemon anew on what it left.
func (e *Engine) Again() {
	e.t.Helper()
	require.True(e.t, e.run(), "dockerd did not start again:\n%s", e.log)
}

// Freeze makes the daemon stop answering, until Thaw.
func (e *Engine) Freeze() { _ = e.daemon.Process.Signal(syscall.SIGSTOP) }

// Thaw lets a frozen daemon go on.
func (e *Engine) Thaw() { _ = e.daemon.Process.Signal(syscall.SIGCONT) }

func dockerd() string {
	if found, err := exec.LookPath("dockerd"); err == nil {
		return found
	}
	return "/usr/sbin/dockerd"
}

// Try runs docker and returns what it printed, without the newline at the end.
func (e *Engine) Try(args ...string) (string, error) {
	return e.Command("docker", args...)
}

// Docker is Try for what must succeed.
func (e *Engine) Docker(args ...string) string {
	e.t.Helper()
	out, err := e.Try(args...)
	require.NoError(e.t, err, "docker %s\n%s", strings.Join(args, " "), out)
	return out
}

// Command runs a program, in the root of the sources, that finds the engine in its environment.
func (e *Engine) Command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = "../.."
	command.Env = e.environ
	out, err := command.CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}
