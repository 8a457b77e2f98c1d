package localpg

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrHeld means that another program uses the directory of a cluster. The error text contains the process id of that
// program.
var ErrHeld = errors.New("another program runs PostgreSQL there")

// acquire locks the lock file at path for this program, without waiting. The kernel releases the lock when the program
// ends. The program writes its process id to the file, so that other programs can report which process holds the lock.
func acquire(path string) (*os.File, error) {
	// Do not use O_TRUNC: if another program holds the lock, the file contains the process id of that program.
	const flags = os.O_CREATE | os.O_RDWR | syscall.O_NOFOLLOW
	lock, err := os.OpenFile(path, flags, 0o600) //nolint:gosec // the caller chooses the path
	if err != nil {
		return nil, fmt.Errorf("lock the directory of PostgreSQL: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(lock)
		err = fmt.Errorf("%s is in use by process %s: %w", filepath.Dir(path), bytes.TrimSpace(holder), ErrHeld)
	}
	if err == nil {
		err = lock.Truncate(0)
	}
	if err == nil {
		_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// unlock releases a lock and closes its file. Closing the file is not enough, because a child process that is being
// started may have a copy of the file descriptor. The lock would last until that copy is closed.
func unlock(lock *os.File) error {
	return errors.Join(syscall.Flock(int(lock.Fd()), syscall.LOCK_UN), lock.Close())
}

// stopOrphan stops a server that an earlier program left running, and reports whether it found a server or a process id
// file. The caller has locked the lock file, so a server that still uses the cluster is an orphan.
func (s *Server) stopOrphan(ctx context.Context) (bool, error) {
	if _, err := os.Lstat(pidFile(s.home.data())); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	pid, err := readPostmasterPID(s.home.data())
	if err == nil && isPostmaster(pid, s.home.data()) {
		stop := s.account.commandContext(ctx, s.bin.pgctl, "stop", "-D", s.home.data(), "-m", "fast", "-w", "-t", "60")
		// The guard may stop the server at the same time, which can make pg_ctl fail. If the server exits soon, the
		// failure does not matter.
		if out, err := stop.CombinedOutput(); err != nil && !endsSoon(ctx, pid, s.home.data()) {
			return true, fmt.Errorf("cannot stop the PostgreSQL server that an earlier program left running "+
				"(process %d): %w: %s", pid, err, bytes.TrimSpace(out))
		}
		return true, nil
	}
	// Remove the process id file if it is malformed, or if its process id now belongs to another process or to a
	// zombie. PostgreSQL would mistake that process for a running server and refuse to start. pg_ctl would send a
	// signal to that process.
	if err != nil || syscall.Kill(pid, 0) == nil {
		if err := os.Remove(pidFile(s.home.data())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
	}
	return true, nil
}

// endsSoon reports whether the server exits within 10 seconds.
func endsSoon(ctx context.Context, pid int, data string) bool {
	for deadline := time.Now().Add(10 * time.Second); isPostmaster(pid, data); time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// pidFile returns the path of PostgreSQL's process id file.
func pidFile(data string) string { return filepath.Join(data, "postmaster.pid") }

// readPostmasterPID returns the process id in the first line of postmaster.pid.
func readPostmasterPID(data string) (int, error) {
	text, err := os.ReadFile(pidFile(data))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s does not begin with a process id", pidFile(data))
	}
	return pid, nil
}

// isPostmaster reports whether the process with the given id is a server that this package started for the cluster. It
// examines the command line of the process.
func isPostmaster(pid int, data string) bool {
	var line []byte
	if runtime.GOOS == "linux" {
		line, _ = os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	} else {
		number := strconv.Itoa(pid)
		line, _ = exec.Command("ps", "-ww", "-o", "command=", "-p", number).Output() //nolint:gosec // pid is a number
	}
	// ps separates arguments by spaces, but a path may contain spaces too. The command line therefore cannot be split
	// into arguments. Instead, check whether it contains the name of the program and then the option -D with the
	// directory. launch passes this option first.
	line = bytes.ReplaceAll(line, []byte{0}, []byte{' '})
	return bytes.Contains(line, []byte("/postgres -D "+data+" "))
}

// childrenOf returns the process ids of a process's children, sorted.
func childrenOf(parent int) ([]int, error) {
	all, err := parents()
	var pids []int
	for pid, of := range all {
		if of == parent {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, err
}

// parents maps each process id to the id of its parent. On Linux it reads /proc, because small images have no ps.
func parents() (map[int]int, error) {
	all := map[int]int{}
	if runtime.GOOS != "linux" {
		out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
		for line := range strings.Lines(string(out)) {
			var pid, parent int
			if n, _ := fmt.Sscan(line, &pid, &parent); n == 2 {
				all[pid] = parent
			}
		}
		return all, err
	}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path) //nolint:gosec // a path in /proc
		if err != nil {
			continue // the process has exited
		}
		// The format is "pid (name) state parent …". The name may contain spaces and parentheses.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) > 1 {
			all[pid], _ = strconv.Atoi(string(fields[1]))
		}
	}
	return all, err
}
