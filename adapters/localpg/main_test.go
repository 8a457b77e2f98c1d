package localpg

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/lockbox-go/lockbox/tests/memory"
)

// holdVariable is the environment variable that makes the test binary run a server and keep it running; see hold.
const holdVariable = "LOCKBOX_TEST_HOLD"

// connectVariable is the environment variable that makes the test binary connect to a URL and print the result.
const connectVariable = "LOCKBOX_TEST_CONNECT"

func TestMain(m *testing.M) {
	if url, ok := os.LookupEnv(connectVariable); ok {
		conn, err := pgx.Connect(context.Background(), url)
		if err == nil {
			err = conn.Close(context.Background())
		}
		fmt.Println("result:", err)
		return
	}
	if dir, ok := os.LookupEnv(holdVariable); ok {
		if err := hold(dir); err != nil {
			fmt.Println("error", err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(exitCode int) {
		if err := os.RemoveAll(sharedFolder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			exitCode = 1
		}
		os.Exit(exitCode)
	}))
}

// sharedFolder is the folder of the cluster that sharedCluster creates. It is empty if no test has used that cluster.
var sharedFolder string

// sharedCluster creates a cluster once and returns its folder.
var sharedCluster = sync.OnceValues(func() (dir string, err error) {
	if sharedFolder, err = os.MkdirTemp(cmp.Or(memory.Folder(), "/tmp"), "lockbox-test-"); err != nil {
		return "", err
	}
	if err := os.Chmod(sharedFolder, 0o755); err != nil {
		return "", err
	}
	dir = filepath.Join(sharedFolder, "pg")
	server, err := Start(context.Background(), Config{Dir: dir})
	if err != nil {
		return "", err
	}
	return dir, server.Stop()
})

// clusterFolder returns a folder with a stopped cluster. It copies an existing cluster, because initdb takes most of
// the time of a test. Use openFolder in tests in which Start must create the cluster.
func clusterFolder(t *testing.T) string {
	t.Helper()
	shared, err := sharedCluster()
	require.NoError(t, err)
	dir := filepath.Join(openFolder(t), "pg")
	out, err := exec.Command("cp", "-a", shared, dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir
}

// hold runs a server until the standard input of this process is closed.
func hold(dir string) error {
	server, err := Start(context.Background(), Config{Dir: dir, TempParent: memory.Folder(), Durable: true})
	if err != nil {
		return err
	}
	fmt.Println("ready", server.Dir(), server.URL("postgres"))
	_, _ = io.Copy(io.Discard, os.Stdin)
	return server.Stop()
}

// holder is a separate process that keeps a server running.
type holder struct {
	cmd      *exec.Cmd
	dir, url string
	release  io.Closer
}

// startHolder starts a holder as the given user and returns the line that it printed. A nil user means the current
// user.
func startHolder(t *testing.T, dir string, as *syscall.Credential) (*holder, string) {
	t.Helper()
	// The go command creates the test binary in a folder that other users cannot enter. The holder therefore runs a
	// copy in another folder.
	program := filepath.Join(openFolderIn(t, "/tmp"), "holder")
	binary, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	writeProgram(t, program, binary)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), holdVariable+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	h := &holder{cmd: cmd, release: stdin}
	if words := strings.Fields(line); words[0] == "ready" {
		h.dir, h.url = words[1], words[2]
	}
	return h, line
}

// writeProgram creates an executable file in a child process. If this process wrote the file, a parallel test could
// fork while the file is open. The forked process would inherit the descriptor, and running the file would fail with
// "text file busy".
func writeProgram(t *testing.T, path string, content []byte) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `cat > "$0" && chmod 755 "$0"`, path)
	cmd.Stdin = bytes.NewReader(content)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// openFolder returns a temporary folder that every user can enter.
func openFolder(t *testing.T) string {
	t.Helper()
	return openFolderIn(t, cmp.Or(memory.Folder(), "/tmp"))
}

func openFolderIn(t *testing.T, parent string) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, "lockbox-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

func start(t *testing.T, cfg Config) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cfg.TempParent = memory.Folder()
	server, err := Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, server.Stop()) })
	return server
}

// eventually replaces require.Eventually, because require.Eventually starts a goroutine that may outlive the test.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
	}
	require.Fail(t, "did not come about: "+what)
}
