//go:build linux

// Command server is the only program in the droplet images of the tests. It serves HTTP on port 22 and reports the
// state of its container. It stops on SIGTERM unless its first argument is "stubborn". If the argument is "loud", it
// prints many lines.
package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Found is the response body. It describes the container from the inside.
type Found struct {
	Hostname       string
	Environ        []string
	AuthorizedKeys string
	// Modes maps each path under /root to its file mode, because sshd checks the modes of authorized_keys and of the
	// directories that contain it.
	Modes  map[string]string
	Status string // the content of /proc/self/status
	Mounts string
}

// loudLines is the number of lines that the program prints with the argument "loud". Together, the lines are about half
// a megabyte long. The program exits after the last line.
const loudLines = 10_000

func main() {
	if len(os.Args) > 1 && os.Args[1] == "fail" {
		os.Exit(3)
	}
	if len(os.Args) > 1 && os.Args[1] == "loud" {
		for range loudLines {
			fmt.Println("Failed password for root from 192.0.2.1 port 22 ssh2")
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "stubborn" {
		signal.Ignore(syscall.SIGTERM)
	} else {
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		go func() { <-ended; os.Exit(0) }()
	}
	server := &http.Server{Addr: ":22", Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 5 * time.Second}
	if err := server.ListenAndServe(); err != nil {
		os.Exit(4)
	}
}

func answer(w http.ResponseWriter, _ *http.Request) {
	found := Found{
		Environ:        os.Environ(),
		Modes:          map[string]string{},
		AuthorizedKeys: read("/root/.ssh/authorized_keys"),
		Status:         read("/proc/self/status"),
		Mounts:         read("/proc/self/mounts"),
	}
	found.Hostname, _ = os.Hostname()
	_ = filepath.WalkDir("/root", func(path string, entry fs.DirEntry, err error) error {
		if err == nil {
			if info, err := entry.Info(); err == nil {
				found.Modes[path] = info.Mode().String()
			}
		}
		return nil
	})
	_ = json.NewEncoder(w).Encode(found)
}

func read(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}
