//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/localpg"
	"github.com/lockbox-go/lockbox/tests/attack"
	"github.com/lockbox-go/lockbox/tests/description"
	"github.com/lockbox-go/lockbox/tests/live"
)

// TestMain runs the tests and then deletes the program that they have built. TestAttacks starts this test binary again
// to attack a server. TestMain then runs only the attack.
func TestMain(m *testing.M) {
	if attack.Main() {
		return
	}
	code := m.Run()
	if built.dir != "" {
		_ = os.RemoveAll(built.dir)
	}
	os.Exit(code)
}

var built struct {
	once sync.Once
	dir  string
	err  error
}

// binary builds the program once and returns its path.
func binary(t testing.TB) string {
	t.Helper()
	built.once.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "lockbox-e2e-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", filepath.Join(built.dir, "lockbox"), "../../cmd/lockbox")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w: %s", err, out)
		}
	})
	require.NoError(t, built.err)
	return filepath.Join(built.dir, "lockbox")
}

// program is a running lockbox process.
type program struct {
	server
	cmd    *exec.Cmd
	out    *live.Log
	exited chan struct{}
	code   int
}

// launch starts the program with the given arguments. Settings are NAME=value without the prefix LOCKBOX_. launch does
// not wait until the program is ready.
func launch(t testing.TB, args []string, settings ...string) *program {
	t.Helper()
	return runProgram(t, exec.Command(binary(t), args...), settings...)
}

// runProgram starts a command and returns it as a program. The command may be a shell if it replaces itself with the
// program by exec.
func runProgram(t testing.TB, cmd *exec.Cmd, settings ...string) *program {
	t.Helper()
	p := &program{cmd: cmd, out: &live.Log{}, exited: make(chan struct{})}
	p.server = server{t: t, log: &live.Log{}}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME")}
	for _, setting := range append([]string{"LOG_LEVEL=debug", "KDF_MEMORY_KIB=64", "KDF_TIME=1"}, settings...) {
		p.cmd.Env = append(p.cmd.Env, "LOCKBOX_"+setting)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.log
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		err := p.cmd.Wait()
		if _, ended := errors.AsType[*exec.ExitError](err); err != nil && !ended {
			fmt.Fprintln(p.log, err)
		}
		p.code = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() { p.kill() })
	return p
}

// serve starts the service on a database and waits until it is ready.
func serve(t testing.TB, database string, settings ...string) *program {
	t.Helper()
	p := serveLater(t, database, settings...)
	p.awaitReady(time.Minute)
	return p
}

func serveLater(t testing.TB, database string, settings ...string) *program {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	p := launch(t, []string{"serve"},
		append([]string{"DATABASE_URL=" + database, "SECRET_KEY=" + testSecret, "HTTP_ADDR=" + address},
			settings...)...)
	p.url, p.db = "http://"+address, database
	return p
}

// ready reports whether /readyz answers 200.
func (p *program) ready() bool {
	got, err := p.as("").try("GET", "/readyz", "")
	return err == nil && got.Status == 200
}

func (p *program) awaitReady(patience time.Duration) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !p.ready(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.exited:
			require.Fail(p.t, "the program ended", "code %d\n%s", p.code, p.log)
		default:
			require.True(p.t, time.Now().Before(deadline), "the program was not ready in time\n%s", p.log)
		}
	}
}

// kill sends SIGKILL.
func (p *program) kill() {
	_ = p.cmd.Process.Kill() // the process may have ended
	<-p.exited
}

// terminate sends SIGTERM and returns the exit code.
func (p *program) terminate() int {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
	return p.await()
}

// await returns the exit code.
func (p *program) await() int {
	p.t.Helper()
	select {
	case <-p.exited:
	case <-time.After(2 * time.Minute):
		require.Fail(p.t, "the program did not end", "%s", p.log)
	}
	return p.code
}

// The command function runs the program with the given arguments and waits until it ends.
func command(t testing.TB, database string, args []string, settings ...string) (code int, out, log string) {
	t.Helper()
	p := launch(t, args, append([]string{"DATABASE_URL=" + database, "SECRET_KEY=" + testSecret}, settings...)...)
	return p.await(), p.out.String(), p.log.String()
}

// The try method sends a request to a server that may be down. If no answer arrives, try returns an error, but the do
// method would end the test.
func (c client) try(method, path, body string, headers ...string) (*answer, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, c.server.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := httpClient.Do(request)
	if mismatch, answered := errors.AsType[*description.Mismatch](err); answered {
		c.server.t.Error(mismatch)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	return &answer{
		t:       c.server.t,
		request: method + " " + path,
		Status:  response.StatusCode,
		Header:  response.Header,
		Body:    content,
	}, err
}

// killable is a PostgreSQL cluster that a test may kill.
type killable struct {
	t    *testing.T
	dir  string
	live *localpg.Server
}

// startKillable starts a PostgreSQL server with an empty database named lockbox. The commits of this server are
// durable.
func startKillable(t *testing.T) *killable {
	t.Helper()
	k := &killable{t: t, dir: openFolder(t)}
	k.start()
	t.Cleanup(func() { require.NoError(t, k.live.Stop()) })
	require.NoError(t, k.live.EnsureDatabase(t.Context(), "lockbox"))
	return k
}

func (k *killable) start() {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	k.live, err = localpg.Start(ctx, localpg.Config{Dir: k.dir, Durable: true})
	require.NoError(k.t, err)
}

func (k *killable) url() string { return k.live.URL("lockbox") }

// openFolder returns a temporary folder that the PostgreSQL user can enter. If this process runs as root, PostgreSQL
// runs as another user.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "lockbox-e2e-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o755))
	return dir
}

// firstURL returns the address that lockbox dev prints.
func (p *program) firstURL() string {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		lines := bufio.NewScanner(bytes.NewReader([]byte(p.out.String())))
		for lines.Scan() {
			if url, found := strings.CutPrefix(lines.Text(), "URL="); found {
				return url
			}
		}
		select {
		case <-p.exited:
			require.Fail(p.t, "lockbox dev ended", "code %d\n%s", p.code, p.log)
		default:
			require.True(p.t, time.Now().Before(deadline), "lockbox dev did not start\n%s", p.log)
		}
	}
}
