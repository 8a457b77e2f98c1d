//go:build unix

package terminal

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// screen is a pseudo-terminal with a program on it. The test reads the output of the program and types input.
type screen struct {
	t        *testing.T
	keyboard *os.File
	// line is the side of the pseudo-terminal that the program uses. The test keeps it open to check the state of the
	// terminal after the program has ended.
	line  *os.File
	ended chan error // the result of the program

	mu    sync.Mutex
	shown bytes.Buffer
	seen  int // number of bytes of shown that expect has consumed
}

// patience is the maximum time to wait for output of a program. It is long, because test machines are busy.
const patience = 30 * time.Second

// The at method starts lockbox on its own terminal.
func at(t *testing.T, environ []string, args ...string) *screen {
	t.Helper()
	return start(t, environ, binary, args...)
}

// start starts a program on its own terminal. The program is killed when the test ends.
func start(t *testing.T, environ []string, program string, args ...string) *screen {
	t.Helper()
	keyboard, line, err := pty.Open()
	require.NoError(t, err)
	s := &screen{
		t:        t,
		keyboard: keyboard,
		line:     line,
		ended:    make(chan error, 1),
	}
	command := exec.Command(program, args...)
	command.Env = environ
	command.Stdin, command.Stdout, command.Stderr = line, line, line
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, command.Start())
	go s.read()
	go func() { s.ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = line.Close()
		_ = keyboard.Close()
	})
	return s
}

func (s *screen) read() {
	part := make([]byte, 4096)
	for {
		count, err := s.keyboard.Read(part)
		s.mu.Lock()
		s.shown.Write(part[:count])
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.shown.String()
}

// expect waits until the output contains a match of the pattern. It ignores all output up to the match of the previous
// call.
func (s *screen) expect(pattern string) {
	s.t.Helper()
	expression := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		found := expression.FindIndex(s.shown.Bytes()[s.seen:])
		if found != nil {
			s.seen += found[1]
		}
		s.mu.Unlock()
		if found != nil {
			return
		}
	}
	s.t.Fatalf("%q was not shown:\n%s", pattern, s)
}

// The hidden method waits for a question. It then waits until the terminal does not show typed characters, and types
// the answer.
func (s *screen) hidden(question, answer string) {
	s.t.Helper()
	s.expect(question)
	s.echoes(false)
	s.enter(answer)
}

// enter types a line.
func (s *screen) enter(text string) {
	s.t.Helper()
	_, err := s.keyboard.WriteString(text + "\n")
	require.NoError(s.t, err)
}

// The declines method types n when lockbox offers to create an identity after a sign-in.
func (s *screen) declines() {
	s.t.Helper()
	s.expect(`With an identity of your own, you need no encryption key`)
	s.expect(`Create your identity now\? \[y/N\] `)
	s.enter("n")
	s.expect("lockbox identity create")
}

// The echoes method waits until the terminal shows typed characters. If want is false, it waits until the terminal does
// not show them.
func (s *screen) echoes(want bool) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		state, err := unix.IoctlGetTermios(int(s.line.Fd()), getTermios)
		return err == nil && (state.Lflag&unix.ECHO != 0) == want
	}, patience, 5*time.Millisecond, "the terminal should echo: %v", want)
}

// The ends method waits until the program has ended. It requires the given exit code. The terminal must then show typed
// characters again.
func (s *screen) ends(want int) {
	s.t.Helper()
	select {
	case err := <-s.ended:
		got := 0
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
			got = exit.ExitCode()
		} else {
			require.NoError(s.t, err)
		}
		require.Equal(s.t, want, got, s)
	case <-time.After(patience):
		s.t.Fatalf("the program did not end:\n%s", s)
	}
	s.echoes(true)
}
