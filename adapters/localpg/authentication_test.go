package localpg

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// connectAs tries to connect as another operating system user and returns the result. That user must be able to enter
// the folder of the socket.
func connectAs(t *testing.T, url string, as *syscall.Credential) string {
	t.Helper()
	program := filepath.Join(openFolderIn(t, "/tmp"), "connect")
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	writeProgram(t, program, binary)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), connectVariable+"="+url)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// TestOnlyItsUserConnects verifies that the kernel identifies who connects. If root runs the test, PostgreSQL runs as
// another user. The test then also verifies that this user and a third user are refused, even if they can reach the
// socket.
func TestOnlyItsUserConnects(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	server := start(t, Config{Dir: dir})
	url := server.URL("postgres")
	require.Contains(t, connectAs(t, url, nil), "result: <nil>")
	hba, err := os.ReadFile(home{dir: dir}.hba())
	require.NoError(t, err)
	require.Equal(t, "local all all peer map=lockbox\n", string(hba))
	require.Equal(t, home{dir: dir}.hba(), query(t, url, "SHOW hba_file"))
	if os.Geteuid() != 0 {
		return // only root can become another user
	}
	run := home{dir: dir}.run()
	info, err := os.Stat(run)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	own := &syscall.Credential{Uid: server.account.uid, Gid: server.account.gid}
	require.Contains(t, connectAs(t, url, own), "Peer authentication failed")
	// These modes permit every user to reach the socket, but the server must still refuse the next connection.
	require.NoError(t, errors.Join(os.Chmod(run, 0o711), os.Chmod(filepath.Join(run, ".s.PGSQL.5432"), 0o777)))
	require.Contains(t, connectAs(t, url, &syscall.Credential{Uid: 2, Gid: 2}), "Peer authentication failed")
}

// TestFilesAreReplaced verifies that a symbolic link in place of a file is not followed.
func TestFilesAreReplaced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	target := filepath.Join(dir, "target")
	require.NoError(t, os.WriteFile(target, []byte("kept"), 0o600))
	for _, path := range []string{home{dir: dir}.hba(), home{dir: dir}.ident()} {
		require.NoError(t, os.Symlink(target, path))
	}
	require.NoError(t, home{dir: dir}.writeAuthentication())
	kept, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Equal(t, "kept", string(kept))
	info, err := os.Lstat(home{dir: dir}.ident())
	require.NoError(t, err)
	require.True(t, info.Mode().IsRegular())
}
