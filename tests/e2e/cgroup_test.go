//go:build e2e && linux

package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cgroup is a control group with a memory limit and without swap.
type cgroup struct {
	t   *testing.T
	dir string
	// events is the name of the file that holds the number of killed processes.
	events string
	// process is the name of a line in the file memory.stat. The number in this line is the memory of the processes,
	// without caches of the kernel.
	process string
}

// cgroups counts the control groups that this process has created.
var cgroups atomic.Int32

// newCgroup creates a control group. The group is of version 1 if the memory controller of the machine belongs to
// version 1; otherwise it is of version 2. If the machine allows neither, the test fails with a message that names the
// reason.
func newCgroup(t *testing.T, limit int) *cgroup {
	t.Helper()
	const second, first = "/sys/fs/cgroup", "/sys/fs/cgroup/memory"
	name := fmt.Sprintf("lockbox-test-%d-%d", os.Getpid(), cgroups.Add(1))
	controllers, _ := os.ReadFile(second + "/cgroup.controllers") // absent in version 1
	g := &cgroup{t: t}
	var settings map[string]string
	if strings.Contains(string(controllers), "memory") {
		require.NoError(t, delegateMemory(second), "the memory controller of %s cannot be delegated to a new group; "+
			"run the test as root, in a container with its own control groups", second)
		g.dir, g.events, g.process = second+"/"+name, "memory.events", "anon"
		settings = map[string]string{"memory.max": strconv.Itoa(limit), "memory.swap.max": "0"}
	} else {
		g.dir, g.events, g.process = first+"/"+name, "memory.oom_control", "rss"
		settings = map[string]string{"memory.limit_in_bytes": strconv.Itoa(limit), "memory.swappiness": "0"}
	}
	require.NoError(t, os.MkdirAll(g.dir, 0o755), "the test needs root and a control group with the memory "+
		"controller, mounted writable at %s (version 2) or %s (version 1)", second, first)
	t.Cleanup(g.remove)
	for file, value := range settings {
		err := os.WriteFile(filepath.Join(g.dir, file), []byte(value), 0o600)
		if strings.Contains(file, "swap") && errors.Is(err, os.ErrNotExist) {
			continue // the kernel does not count swap
		}
		require.NoError(t, err)
	}
	return g
}

// delegateMemory enables the memory controller for the children of a group of version 2. The kernel allows this in the
// root group, and in groups without processes. In any other group, delegateMemory first moves the processes to a child.
func delegateMemory(group string) error {
	enable := func() error { return os.WriteFile(group+"/cgroup.subtree_control", []byte("+memory"), 0o600) }
	if err := enable(); !errors.Is(err, syscall.EBUSY) {
		return err
	}
	leaf := group + "/lockbox-test-others"
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	processes, err := os.ReadFile(group + "/cgroup.procs")
	if err != nil {
		return err
	}
	for _, process := range strings.Fields(string(processes)) {
		// A process may have ended.
		_ = os.WriteFile(leaf+"/cgroup.procs", []byte(process), 0o600)
	}
	return enable()
}

// remove deletes the group. It retries, because the processes in the group may take a moment to disappear.
func (g *cgroup) remove() {
	for range 100 {
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	g.t.Errorf("%s still has processes", g.dir)
}

// number returns the number that follows a word in a file of the group, or 0 if the file does not contain the word.
func (g *cgroup) number(file, word string) int {
	g.t.Helper()
	text, err := os.ReadFile(filepath.Join(g.dir, file))
	require.NoError(g.t, err)
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 2 && fields[0] == word {
			n, err := strconv.Atoi(fields[1])
			require.NoError(g.t, err)
			return n
		}
	}
	return 0
}

// used returns the memory of the processes, in bytes.
func (g *cgroup) used() int {
	g.t.Helper()
	return g.number("memory.stat", g.process)
}

// kills returns the number of processes that the kernel has killed because the group reached its limit.
func (g *cgroup) kills() int {
	g.t.Helper()
	return g.number(g.events, "oom_kill")
}
