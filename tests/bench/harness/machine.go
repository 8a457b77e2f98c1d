package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/lockbox-go/lockbox/tests/bench/load"
)

// machine describes the machine of the measurement, without host names or paths.
type machine struct {
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	MemoryGB   float64           `json:"memory_gb"`
	System     string            `json:"system"`
	PostgreSQL string            `json:"postgresql"`
	Settings   map[string]string `json:"postgresql_settings"`
	Go         string            `json:"go"`
	// Commit is the measured commit. It is empty if an option names a binary that was built before the run.
	Commit string `json:"commit,omitempty"`
	// Lockbox lists the settings of the measured Lockbox server, except the required settings.
	Lockbox []string  `json:"lockbox_settings,omitempty"`
	Load    string    `json:"load"`
	Size    load.Size `json:"size"`
}

func (b *bench) machine() machine {
	memory, _ := os.ReadFile("/proc/meminfo")
	processors, _ := os.ReadFile("/proc/cpuinfo")
	return machine{
		CPU:        named(string(processors), "model name", ":"),
		Cores:      runtime.NumCPU(),
		MemoryGB:   float64(int(kilobytes(string(memory), "MemTotal:")/1024/102.4)) / 10,
		System:     operatingSystem(),
		PostgreSQL: b.cluster.version,
		Settings:   b.cluster.settings,
		Go:         runtime.Version(),
		Commit:     b.commit,
		Lockbox:    b.settings,
		Load: fmt.Sprintf("%d connections; each scenario runs %d × %s after a warm-up of %s", b.connections,
			b.options.rounds, b.slice, b.warmUp),
		Size: b.size,
	}
}

func (m machine) String() string {
	s := m.Settings
	return fmt.Sprintf("%d × %s, %.1f GB, %s; PostgreSQL %s (fsync %s, synchronous_commit %s, full_page_writes %s, "+
		"shared_buffers %s), %s; Lockbox %s; %s",
		m.Cores, m.CPU, m.MemoryGB, m.System, m.PostgreSQL, s["fsync"], s["synchronous_commit"], s["full_page_writes"],
		s["shared_buffers"], m.Go,
		strings.Join(append([]string{cmp.Or(m.Commit, "as given")}, m.Lockbox...), " "), m.Load)
}

// named returns the value in the first line that consists of name, the separator and a value. If there is none, it
// returns "".
func named(text, name, separator string) string {
	for line := range strings.Lines(text) {
		if found, value, ok := strings.Cut(line, separator); ok && strings.TrimSpace(found) == name {
			return strings.Trim(strings.TrimSpace(value), `"`)
		}
	}
	return ""
}

func operatingSystem() string {
	release, _ := os.ReadFile("/etc/os-release")
	if name := named(string(release), "PRETTY_NAME", "="); name != "" {
		return name
	}
	return runtime.GOOS
}

// commit returns the output of git describe for the checked-out commit. It ends in "-dirty" if the checkout has
// changes.
func commit() string {
	out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output()
	if err != nil {
		return "dev"
	}
	return strings.TrimSpace(string(out))
}
