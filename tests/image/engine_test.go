//go:build e2e && linux

package image

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// engine is a Docker engine, reached with the docker command.
type engine struct {
	t       testing.TB
	environ []string
}

// startEngine returns the engine that answers already, or else one of the test's own, without a network bridge, that
// ends with the test. Only root can start one.
func startEngine(t testing.TB) engine {
	t.Helper()
	running := engine{t: t, environ: os.Environ()}
	if _, err := running.try("info"); err == nil {
		return running
	}
	require.Zero(t, os.Geteuid(), "the image is tested in a Docker engine: start one that this user may use, or be root")
	var said string
	// overlay2 does not work on every file system; vfs does, slowly.
	for _, driver := range []string{"overlay2", "vfs"} {
		started, log := startDaemon(t, driver)
		if started != nil {
			return *started
		}
		said += log
	}
	t.Fatalf("dockerd did not start:\n%s", said)
	return engine{}
}

func startDaemon(t testing.TB, driver string) (*engine, string) {
	t.Helper()
	// Not t.TempDir: its path is long for a socket.
	dir, err := os.MkdirTemp("", "engine-")
	require.NoError(t, err)
	t.Cleanup(func() {
		// The one mount that an engine leaves behind.
		_ = syscall.Unmount(filepath.Join(dir, "exec", "netns", "default"), syscall.MNT_DETACH)
		assert.NoError(t, os.RemoveAll(dir))
	})
	socket := "unix://" + filepath.Join(dir, "docker.sock")
	var log bytes.Buffer
	daemon := exec.Command(dockerd(), "--storage-driver="+driver, "--iptables=false", "--ip-forward=false", "--bridge=none",
		"--host="+socket, "--data-root="+filepath.Join(dir, "data"), "--exec-root="+filepath.Join(dir, "exec"),
		"--pidfile="+filepath.Join(dir, "docker.pid"))
	daemon.Stdout, daemon.Stderr = &log, &log
	// It dies with this process, whatever happens to it.
	daemon.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(t, daemon.Start())
	ended := make(chan struct{})
	go func() { _ = daemon.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	started := &engine{t: t, environ: append(os.Environ(), "DOCKER_HOST="+socket)}
	for range 120 {
		if _, err := started.try("info"); err == nil {
			return started, ""
		}
		select {
		case <-ended:
			return nil, log.String()
		case <-time.After(250 * time.Millisecond):
		}
	}
	_ = daemon.Process.Signal(syscall.SIGTERM)
	<-ended
	return nil, log.String()
}

func dockerd() string {
	if found, err := exec.LookPath("dockerd"); err == nil {
		return found
	}
	return "/usr/sbin/dockerd"
}

// try runs docker and returns what it printed, without the newline at the end.
func (e engine) try(args ...string) (string, error) {
	return e.command("docker", args...)
}

// docker is try for what must succeed.
func (e engine) docker(args ...string) string {
	e.t.Helper()
	out, err := e.try(args...)
	require.NoError(e.t, err, "docker %s\n%s", strings.Join(args, " "), out)
	return out
}

func (e engine) command(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, name, args...)
	command.Dir = "../.."
	command.Env = e.environ
	out, err := command.CombinedOutput()
	return strings.TrimRight(string(out), "\n"), err
}
