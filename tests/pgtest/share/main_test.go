package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// asShare is the name of an environment variable. If it is set, the test binary behaves like the command share. Tests
// can thus run share in a process of its own.
const asShare = "LOCKBOX_TEST_AS_SHARE"

func TestMain(m *testing.M) {
	if os.Getenv(asShare) != "" {
		os.Exit(run(os.Args[1:]))
	}
	goleak.VerifyTestMain(m)
}

func share(t *testing.T, env string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asShare+"=1", pgtest.Variable+"="+env)
	cmd.Stderr = os.Stderr
	return cmd
}

func exitCode(t *testing.T, err error) int {
	t.Helper()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v", err)
	return exit.ExitCode()
}

func TestServerAndExitCode(t *testing.T) {
	t.Parallel()
	out, err := share(t, "", "--", "sh", "-c", "echo $"+pgtest.Variable+"; exit 7").Output()
	require.Equal(t, 7, exitCode(t, err))
	require.True(t, strings.HasPrefix(string(out), "postgres://"), "%s", out)
}

func TestConfiguredServer(t *testing.T) {
	t.Parallel()
	out, err := share(t, "postgres://elsewhere/x", "sh", "-c", "echo $"+pgtest.Variable).Output()
	require.NoError(t, err)
	require.Equal(t, "postgres://elsewhere/x\n", string(out))
}

func TestCommandThatCannotRun(t *testing.T) {
	t.Parallel()
	_, err := share(t, "").Output()
	require.Equal(t, failed, exitCode(t, err))
	_, err = share(t, "postgres://elsewhere/x", "--", "/no/such/command").Output()
	require.Equal(t, failed, exitCode(t, err))
}

func TestSignalsAreForwarded(t *testing.T) {
	t.Parallel()
	cmd := share(t, "postgres://elsewhere/x", "--", "sh", "-c",
		`trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done`)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Equal(t, 9, exitCode(t, cmd.Wait()))
}
