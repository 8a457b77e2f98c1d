package localpg

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// guard is a shell script that stops the server when this program ends, even after SIGKILL.
//
// This program holds the write end of the pipe on descriptor 3. The kernel closes the write end when this program ends.
// The watcher, a subshell of the script, waits until the write end is closed. It then sends SIGINT to the server to
// request a fast shutdown. The shell starts the server with SIGINT ignored, and PostgreSQL installs its own handler
// only later. The watcher therefore repeats the signal. Descriptor 4 is open in the guard, the server and every
// backend. When all of them have exited, this program reads end-of-file from the other end of that descriptor's pipe.
//
// The first two arguments are directories that the guard removes after the server has exited; "" means no directory.
// The remaining arguments are the command line of the server.
const guard = `
trap '' HUP INT QUIT TERM
temporary=$1 stray=$2
shift 2
"$@" 3<&- &
server=$!
(
	exec 4>&-
	read -r _ <&3
	tries=0
	while [ $tries -lt 60 ] && kill -INT "$server"; do
		sleep 1
		tries=$((tries + 1))
	done
) 2>/dev/null &
watcher=$!
wait "$server"
kill -KILL "$watcher" 2>/dev/null
[ -z "$stray" ] || rm -rf -- "$stray"
[ -z "$temporary" ] || rm -rf -- "$temporary"
`

var errStillRunning = errors.New("PostgreSQL did not exit in time")

// process is a server with its guard.
type process struct {
	cmd    *exec.Cmd
	hold   *os.File // closing it requests a fast shutdown
	exited *os.File // reads end-of-file when guard, server and backends have exited
	log    *os.File // nil if the log goes to the caller's writer
}

// runGuarded starts the guard, and the guard starts the server with the command line argv. The arguments temporary and
// stray are directories that the guard removes after the server has exited; "" means no directory. The argument log
// receives the output of the server. If log is nil, the output is written to the file at logPath.
func runGuarded(
	who account, argv []string, temporary, stray, logPath string, log io.Writer,
) (started *process, err error) {
	p := &process{}
	var watched, alive *os.File // the guard's ends of the two pipes
	defer func() {
		closeAll(watched, alive)
		if err != nil {
			closeAll(p.hold, p.exited, p.log)
		}
	}()
	if watched, p.hold, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.exited, alive, err = os.Pipe(); err != nil {
		return nil, err
	}
	if log == nil {
		// If root runs this program, the directory of the log belongs to another user. That user must not be able to
		// redirect the log with a symbolic link.
		const flags = os.O_CREATE | os.O_RDWR | os.O_TRUNC | os.O_APPEND | syscall.O_NOFOLLOW
		if p.log, err = os.OpenFile(logPath, flags, 0o600); err != nil { //nolint:gosec // a path of our own
			return nil, err
		}
		log = p.log
	}
	args := append([]string{"-c", guard, "lockbox-postgres", temporary, stray}, argv...)
	p.cmd = who.command("/bin/sh", args...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.ExtraFiles = []*os.File{watched, alive}
	// The server has its own process group, so ^C at the terminal stops only the program, which then stops the server.
	p.cmd.SysProcAttr.Setpgid = true
	if err = p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run PostgreSQL: %w", err)
	}
	return p, nil
}

// closeAll closes the files that are not nil. Closing a file twice is harmless.
func closeAll(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			_ = file.Close()
		}
	}
}

// requestStop requests a fast shutdown and returns immediately.
func (p *process) requestStop() { closeAll(p.hold) }

// exitedWithin waits for all processes of the server to exit, at most for the given time, and reports whether they have
// exited.
func (p *process) exitedWithin(wait time.Duration) bool {
	if err := p.exited.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return true // closed by an earlier await
	}
	_, err := p.exited.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// await waits for the server to exit, at most for the given time, and releases its files. If await returns
// errStillRunning, the caller can call it again.
func (p *process) await(wait time.Duration) error {
	if !p.exitedWithin(wait) {
		return errStillRunning
	}
	closeAll(p.hold, p.exited, p.log)
	err := p.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		// Ignore the exit status of the guard: after Kill, a failure is expected.
		return nil
	}
	return err
}

// logTail returns the last 600 bytes of the log on one line, for the error of a failed start.
func (p *process) logTail() string {
	if p.log == nil {
		return "see its log"
	}
	info, err := p.log.Stat()
	if err != nil {
		return err.Error()
	}
	const tailBytes = 600
	text, err := io.ReadAll(io.NewSectionReader(p.log, max(0, info.Size()-tailBytes), tailBytes))
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", " | ")
}
