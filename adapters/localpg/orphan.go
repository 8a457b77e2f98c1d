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

// ErrHeld is returned while another program holds the folder of a cluster. The error's text names its process.
var ErrHeld = errors.New("another program runs a PostgreSQL there")

// acquire locks the folder for this program. The kernel gives the lock up when the program ends in whatever way.
func acquire(path string) (*os.File, error) {
	const flags = os.O_CREATE | os.O_RDWR | syscall.O_NOFOLLOW
	lock, err := os.OpenFile(path, flags, 0o600) //nolint:gosec // the path is the caller's choice
	if err != nil {
		return nil, fmt.Errorf("lock the folder of PostgreSQL: %w", err)
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		holder, _ := io.ReadAll(lock)
		err = fmt.Errorf("%s is held by process %s: %w", filepath.Dir(path), bytes.TrimSpace(holder), ErrHeld)
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

// stopOrphan stops the server that an earlier program left running, and reports whether one had left any trace. We
// hold the lock, so whatever still runs there has lost its program.
func (s *Server) stopOrphan(ctx context.Context) (bool, error) {
	if _, err := os.Lstat(pidFile(s.home.data())); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	pid, err := readPostmasterPID(s.home.data())
	if err == nil && isPostmaster(pid, s.home.data()) {
		stop := s.account.commandContext(ctx, s.bin.pgctl, "stop", "-D", s.home.data(), "-m", "fast", "-w", "-t", "60")
		// Its guard may be stopping it as well: pg_ctl complains when the server takes its file away just then, which is
		// the last thing that it does.
		if out, err := stop.CombinedOutput(); err != nil && !endsSoon(ctx, pid, s.home.data()) {
			return true, fmt.Errorf("stop the PostgreSQL that an earlier program left, process %d: %w: %s", pid, err,
				bytes.TrimSpace(out))
		}
		return true, nil
	}
	// The file may be empty, or its number by now some other process's, or a zombie's that nobody buries. PostgreSQL
	// cannot tell and would refuse to start, and pg_ctl would signal the wrong process.
	if err != nil || syscall.Kill(pid, 0) == nil {
		if err := os.Remove(pidFile(s.home.data())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return true, err
		}
	}
	return true, nil
}

// endsSoon reports whether the server is gone within a few seconds.
func endsSoon(ctx context.Context, pid int, data string) bool {
	for deadline := time.Now().Add(10 * time.Second); isPostmaster(pid, data); time.Sleep(20 * time.Millisecond) {
		if ctx.Err() != nil || time.Now().After(deadline) {
			return false
		}
	}
	return true
}

func pidFile(data string) string { return filepath.Join(data, "postmaster.pid") }

func readPostmasterPID(data string) (int, error) {
	text, err := os.ReadFile(pidFile(data))
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s does not begin with a process", pidFile(data))
	}
	return pid, nil
}

// isPostmaster tells from its command line whether the process is a server of ours for the cluster.
func isPostmaster(pid int, data string) bool {
	var line []byte
	if runtime.GOOS == "linux" {
		line, _ = os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	} else {
		line, _ = exec.Command("ps", "-ww", "-o", "command=", "-p",
			strconv.Itoa(pid)).Output() //nolint:gosec // a number
	}
	// ps separates the arguments by spaces, which paths may hold too: look for the beginning as we wrote it.
	line = bytes.ReplaceAll(line, []byte{0}, []byte{' '})
	return bytes.Contains(line, []byte("/postgres -D "+data+" "))
}

// childrenOf lists the processes that a process has started.
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

// parents maps every process to the one that started it. Slim images of Linux have no ps.
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
		text, err := os.ReadFile(path) //nolint:gosec // of the kernel
		if err != nil {
			continue // ended meanwhile
		}
		// "pid (name) state parent …", where the name may hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if len(fields) > 1 {
			all[pid], _ = strconv.Atoi(string(fields[1]))
		}
	}
	return all, err
}
