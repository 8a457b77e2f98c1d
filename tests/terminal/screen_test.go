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

// screen is a terminal with a program at it. What the program shows is read from the one side; the test types there.
type screen struct {
	t        *testing.T
	keyboard *os.File
	// line is the program's side. It stays open here, so that the terminal can be looked at when the program is gone.
	line  *os.File
	ended chan error

	mu    sync.Mutex
	shown bytes.Buffer
	seen  int // how far expect has read
}

// patience is how long a program may take to show something, on a machine that is busy.
const patience = 30 * time.Second

// at starts a lockbox at a terminal of its own.
func at(t *testing.T, environ []string, args ...string) *screen {
	t.Helper()
	return start(t, environ, binary, args...)
}

// start starts any program at a terminal of its own.
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

// expect waits for a text, after the one that it waited for before.
func (s *screen) expect(pattern string) {
	s.t.Helper()
	form := regexp.MustCompile(pattern)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s.mu.Lock()
		found := form.FindIndex(s.shown.Bytes()[s.seen:])
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

// hidden waits for a question whose answer is not shown, and gives it.
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

// echoes waits until the terminal shows what is typed, or does not.
func (s *screen) echoes(want bool) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		state, err := unix.IoctlGetTermios(int(s.line.Fd()), getTermios)
		return err == nil && (state.Lflag&unix.ECHO != 0) == want
	}, patience, 5*time.Millisecond, "the terminal should echo: %v", want)
}

// ends waits for the program to end, with this exit code, and the terminal as it was.
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
		s.t.Fatalf("the program goes on:\n%s", s)
	}
	s.echoes(true)
}
