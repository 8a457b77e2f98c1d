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

// guard is what makes the server die with the program. The program holds the writing end of the pipe on descriptor 3;
// the kernel closes it whichever way the program ends, and the watcher then asks for a fast shutdown. It asks again
// because a shell's background process ignores SIGINT until PostgreSQL installs its own handler. Descriptor 4 is open
// in the guard, the server and every backend: the program's end of it ends as soon as the last of them is gone.
// Its arguments are two folders to remove afterwards, each of which may be empty, and the server's command.
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

var errStillRunning = errors.New("PostgreSQL did not end in time")

// process is a server under its guard.
type process struct {
	cmd  *exec.Cmd
	hold *os.File // closing it asks for a fast shutdown
	gone *os.File // ends once guard, server and backends are gone
	log  *os.File // nil where the log goes to the caller's writer
}

func runGuarded(
	who account, argv []string, temporary, stray, logPath string, log io.Writer,
) (started *process, err error) {
	p := &process{}
	var watched, alive *os.File
	defer func() {
		closeAll(watched, alive)
		if err != nil {
			closeAll(p.hold, p.gone, p.log)
		}
	}()
	if watched, p.hold, err = os.Pipe(); err != nil {
		return nil, err
	}
	if p.gone, alive, err = os.Pipe(); err != nil {
		return nil, err
	}
	if log == nil {
		// The folder belongs to another user when we are root: a link placed there must not lead us elsewhere.
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
	// A group of its own: ^C at the terminal is for the program, which stops the server when it has drained.
	p.cmd.SysProcAttr.Setpgid = true
	if err = p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("run PostgreSQL: %w", err)
	}
	return p, nil
}

func closeAll(files ...*os.File) {
	for _, file := range files {
		if file != nil {
			_ = file.Close()
		}
	}
}

// letGo asks for a fast shutdown.
func (p *process) letGo() { closeAll(p.hold) }

// goneWithin waits at most that long and reports whether nothing of the server is left.
func (p *process) goneWithin(wait time.Duration) bool {
	if err := p.gone.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return true
	}
	_, err := p.gone.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// await waits for the end and clears up. After errStillRunning it may be called again.
func (p *process) await(wait time.Duration) error {
	if !p.goneWithin(wait) {
		return errStillRunning
	}
	closeAll(p.hold, p.gone, p.log)
	err := p.cmd.Wait()
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		// The guard's status says nothing: a killed server is what Kill wanted.
		return nil
	}
	return err
}

// lastWords are the last lines of the log, for the error of a start that fails.
func (p *process) lastWords() string {
	if p.log == nil {
		return "see its log"
	}
	info, err := p.log.Stat()
	if err != nil {
		return err.Error()
	}
	const enough = 600
	text, err := io.ReadAll(io.NewSectionReader(p.log, max(0, info.Size()-enough), enough))
	if err != nil {
		return err.Error()
	}
	return strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", " | ")
}
