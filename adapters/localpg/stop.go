package localpg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// stopTimeout is the time limit for a fast shutdown, in which the server writes a checkpoint.
	stopTimeout = 60 * time.Second
	// killTimeout is how long to wait for the processes to exit after SIGKILL.
	killTimeout = 20 * time.Second
)

// Stop stops the server with a fast shutdown: it terminates sessions and writes committed data to disk. If the server
// has not exited after 60 seconds, Stop kills it. After an earlier Stop or Kill it does nothing and returns nil.
func (s *Server) Stop() error {
	return s.end(func() error {
		s.proc.requestStop()
		err := s.proc.await(stopTimeout)
		if errors.Is(err, errStillRunning) {
			return errors.Join(err, s.killAll())
		}
		return err
	})
}

// Kill simulates a crash: it sends SIGKILL to the postmaster and all its children and waits until they have exited. The
// next Start in the same Dir performs crash recovery.
func (s *Server) Kill() error { return s.end(s.killAll) }

// end calls the given function and releases the resources of the server. Further calls of end do nothing.
func (s *Server) end(stop func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return nil
	}
	s.ended = true
	running.Delete(s)
	return errors.Join(stop(), s.release())
}

// killAll sends SIGKILL to all processes of the server and waits until they have exited, at most 20 seconds.
func (s *Server) killAll() error {
	postmaster, err := readPostmasterPID(s.home.data())
	if err != nil || !isPostmaster(postmaster, s.home.data()) {
		// The server has exited, and another process may have its process id now.
		return s.proc.await(killTimeout)
	}
	// Stop the postmaster first. After SIGSTOP, the postmaster forks no further children, so the list below is
	// complete.
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop postmaster %d: %w", postmaster, err)
	}
	children, err := childrenOf(postmaster)
	for _, pid := range append(children, postmaster) {
		if failure := syscall.Kill(pid, syscall.SIGKILL); failure != nil && !errors.Is(failure, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill %d: %w", pid, failure))
		}
	}
	return errors.Join(err, s.proc.await(killTimeout))
}

// release removes the directories that the guard could not remove and unlocks the cluster. It does not delete the lock
// file, because two programs could then hold locks at the same time: one on the deleted file, and one on a new file of
// the same name.
func (s *Server) release() error {
	var err error
	if stray := s.strayDir(); stray != "" {
		err = os.RemoveAll(stray)
	}
	if s.home.temporary {
		err = errors.Join(err, os.RemoveAll(s.home.dir))
	}
	return errors.Join(err, unlock(s.lock))
}

// strayDir returns the temporary directory of the socket, or "" if the socket is in the cluster's directory.
func (s *Server) strayDir() string {
	if s.sockets == s.home.run() {
		return ""
	}
	return s.sockets
}
