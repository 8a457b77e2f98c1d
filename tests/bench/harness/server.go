package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/lockbox-go/lockbox/domain"
)

// The keys of a run protect no real data.
var (
	secretKey     = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	encryptionKey = domain.FormatGeneratedKey([32]byte{1, 2, 3})
)

// server is a running Lockbox.
type server struct {
	command *exec.Cmd
	address string
	log     *os.File
	ended   chan struct{}
	// started is the time between exec and the first answered request.
	started time.Duration
}

// startServer starts the program with the required settings only, and waits until it answers.
func startServer(ctx context.Context, t *target, folder string) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{address: listener.Addr().String(), ended: make(chan struct{})}
	listener.Close()
	// The log is written to a file, like the log of a service.
	if s.log, err = os.Create(filepath.Join(folder, t.name+".log")); err != nil {
		return nil, err
	}
	s.command = exec.CommandContext(ctx, t.program, "serve")
	s.command.Env = []string{"LOCKBOX_DATABASE_URL=" + t.database, "LOCKBOX_SECRET_KEY=" + secretKey,
		"LOCKBOX_HTTP_ADDR=" + s.address}
	for _, setting := range t.settings {
		s.command.Env = append(s.command.Env, "LOCKBOX_"+setting)
	}
	s.command.Stderr = s.log
	begin := time.Now()
	if err := s.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = s.command.Wait() // the log holds the exit reason
		close(s.ended)
	}()
	for !s.answers() {
		select {
		case <-s.ended:
			said, _ := os.ReadFile(s.log.Name())
			return nil, fmt.Errorf("the program ended: %s", lastLine(said))
		case <-time.After(time.Millisecond):
		}
	}
	s.started = time.Since(begin)
	return s, nil
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// The method answers sends a request that uses the database, and reports whether the request succeeds.
func (s *server) answers() bool {
	conn, err := net.DialTimeout("tcp", s.address, time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	response, err := http.Get("http://" + s.address + "/readyz")
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func (s *server) stop() {
	http.DefaultClient.CloseIdleConnections()
	if err := s.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		fmt.Fprintln(os.Stderr, "bench: stop the program:", err)
	}
	select {
	case <-s.ended:
	case <-time.After(40 * time.Second):
		_ = s.command.Process.Kill()
		<-s.ended
	}
	s.log.Close()
}

func (s *server) pid() int { return s.command.Process.Pid }
