package localpg

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

const (
	// stopTimeout is for a fast shutdown, which writes a checkpoint.
	stopTimeout = 60 * time.Second
	// killTimeout is for the kernel to clear processes away.
	killTimeout = 20 * time.Second
)

// Stop ends the server with a fast shutdown: sessions are cut, what is committed is on disk. Calling it again, or
// after Kill, does nothing.
func (s *Server) Stop() error {
	return s.end(func() error {
		s.proc.letGo()
		err := s.proc.await(stopTimeout)
		if errors.Is(err, errStillRunning) {
			return errors.Join(err, s.killAll())
		}
		return err
	})
}

// Kill ends the server as a power cut would: SIGKILL to the postmaster and all its children. It returns when they are
// gone; Start in the same Dir then recovers.
func (s *Server) Kill() error { return s.end(s.killAll) }

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

func (s *Server) killAll() error {
	postmaster, err := readPostmasterPID(s.home.data())
	if err != nil || !isPostmaster(postmaster, s.home.data()) {
		// It ended by itself, and its number may be another process's by now.
		return s.proc.await(killTimeout)
	}
	// Stopped, it cannot fork a child that the listing would miss.
	if err := syscall.Kill(postmaster, syscall.SIGSTOP); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("stop postmaster %d: %w", postmaster, err)
	}
	doomed, err := childrenOf(postmaster)
	for _, pid := range append(doomed, postmaster) {
		if failure := syscall.Kill(pid, syscall.SIGKILL); failure != nil && !errors.Is(failure, syscall.ESRCH) {
			err = errors.Join(err, fmt.Errorf("kill %d: %w", pid, failure))
		}
	}
	return errors.Join(err, s.proc.await(killTimeout))
}

// release gives up what the server held, and clears away what the guard could not. The lock's file stays: removing it
// would let two programs each lock a file of that name.
func (s *Server) release() error {
	var err error
	if stray := s.strayFolder(); stray != "" {
		err = os.RemoveAll(stray)
	}
	if s.home.temporary {
		err = errors.Join(err, os.RemoveAll(s.home.dir))
	}
	return errors.Join(err, s.lock.Close())
}

// strayFolder is the folder of the socket where that is not part of the cluster.
func (s *Server) strayFolder() string {
	if s.sockets == s.home.run() {
		return ""
	}
	return s.sockets
}
