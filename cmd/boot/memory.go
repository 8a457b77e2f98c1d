package boot

import (
	"bufio"
	"context"
	"log/slog"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"time"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// These constants divide the memory of the process. httpapi.NewBounds computes the limits for requests and connections
// from the same memory.
const (
	// assumedMemory is the budget, in bytes, if nothing limits the memory of the process.
	assumedMemory = 1 << 30
	// kdfShare is the part of the budget, in percent, that concurrent key derivations may use.
	kdfShare = 30
	// runtimeShare is the soft memory limit of the Go runtime, in percent of the budget. Near this limit, the runtime
	// collects garbage more often. The remaining 15 percent are for kernel buffers and for the program text.
	runtimeShare = 85
	// minMemory is the smallest possible budget, in bytes.
	minMemory = 64 << 20
)

// memoryBudget returns the memory, in bytes, from which all bounds are derived. It is MemoryLimit if that setting is
// not zero. Otherwise it is the smallest of assumedMemory, GOMEMLIMIT and the limit of the control groups, but at
// least minMemory.
func (c Config) memoryBudget() int64 {
	if c.MemoryLimit > 0 {
		return int64(c.MemoryLimit)
	}
	runtimeLimit := int64(math.MaxInt64)
	if os.Getenv("GOMEMLIMIT") != "" {
		runtimeLimit = debug.SetMemoryLimit(-1) // only reads the limit
	}
	return max(minMemory, min(assumedMemory, runtimeLimit, controlGroupLimit("/")))
}

// bounds returns the bounds of the HTTP API. If the setting of a bound is zero, the bound is derived from the memory
// budget.
func (c Config) bounds() httpapi.Bounds {
	bounds := httpapi.NewBounds(c.memoryBudget())
	if c.MaxRequests > 0 {
		bounds.Requests = c.MaxRequests
		bounds.RequestsPerUser = max(1, min(bounds.RequestsPerUser, c.MaxRequests))
		bounds.RequestsPerAddress = max(1, min(bounds.RequestsPerAddress, c.MaxRequests))
	}
	for _, each := range []struct {
		setting int
		bound   *int
	}{
		{c.MaxConnections, &bounds.Connections},
		{c.MaxRequestsPerUser, &bounds.RequestsPerUser},
		{c.MaxRequestsPerAddress, &bounds.RequestsPerAddress},
	} {
		if each.setting > 0 {
			*each.bound = each.setting
		}
	}
	return bounds
}

// controlGroupLimit returns the lowest memory limit of the control groups (version 1 or 2) of the process. It returns
// math.MaxInt64 if there is no limit. root is the root of the file system.
func controlGroupLimit(root string) int64 {
	groups, err := os.Open(path.Join(root, "proc/self/cgroup")) //nolint:gosec // a path of the kernel
	if err != nil {                                             // not Linux
		return math.MaxInt64
	}
	defer func() { _ = groups.Close() }()
	lowest := int64(math.MaxInt64)
	for lines := bufio.NewScanner(groups); lines.Scan(); {
		// A line is hierarchy:controllers:path. Version 2 has no controllers.
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) < 3 {
			continue
		}
		switch {
		case parts[1] == "":
			lowest = min(lowest, lowestLimit(path.Join(root, "sys/fs/cgroup"), parts[2], "memory.max"))
		case strings.Contains(","+parts[1]+",", ",memory,"):
			lowest = min(lowest,
				lowestLimit(path.Join(root, "sys/fs/cgroup/memory"), parts[2], "memory.limit_in_bytes"))
		}
	}
	return lowest
}

// lowestLimit returns the lowest of the memory limits that apply to a control group: its own limit and the limits of
// its parent groups. Each group is a folder below mount. file is the name of the file that contains the limit. In a
// container, the folder of the group may be missing. The file with the limit of the container is then directly in
// mount.
func lowestLimit(mount, group, file string) int64 {
	lowest := int64(math.MaxInt64)
	for group = path.Clean("/" + group); ; group = path.Dir(group) {
		text, err := os.ReadFile(path.Join(mount, group, file)) //nolint:gosec // a file of the kernel
		if err == nil {
			// If there is no limit, the file of version 2 contains "max". In this case, the file of version 1 contains
			// a number that is larger than any real memory.
			if limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && limit > 0 {
				lowest = min(lowest, limit)
			}
		}
		if group == "/" {
			return lowest
		}
	}
}

// maxDerivations returns the maximum number of concurrent key derivations. The result is half the number of cores, but
// at most derivationsInMemory and at least one.
func (c Config) maxDerivations() int {
	return max(1, min(runtime.GOMAXPROCS(0)/2, c.derivationsInMemory()))
}

// derivationsInMemory returns how many concurrent key derivations fit into their share of the memory. It returns at
// least one. The memory of each derivation counts twice, because the memory of a finished derivation stays in use until
// the next garbage collection.
func (c Config) derivationsInMemory() int {
	each := 2 * int64(c.KDFMemoryKiB) << 10
	return max(1, int(c.memoryBudget()*kdfShare/100/max(1, each)))
}

// limitMemory sets the soft memory limit of the Go runtime. If GOMEMLIMIT is set, limitMemory leaves that limit
// unchanged. Without a limit, the garbage of several key derivations and large values could accumulate before the
// garbage collector runs.
func (a *App) limitMemory() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(a.config.memoryBudget() * runtimeShare / 100)
	}
}

const (
	// releaseInterval is the time between two measurements of the heap by releaseMemory.
	releaseInterval = 5 * time.Second
	// The server returns unused memory to the operating system if the unused memory is larger than releaseAbove, in
	// bytes.
	releaseAbove = 4 << 20
)

// releaseMemory returns unused memory to the operating system after a burst of requests. The Go runtime itself returns
// unused memory only after several minutes. Until then, the memory counts towards the limit of the control group.
func (a *App) releaseMemory(ctx context.Context) {
	samples := []runtimemetrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/gc/heap/allocs:bytes"},
	}
	allocatedBefore := uint64(0)
	every(ctx, releaseInterval, func() {
		runtimemetrics.Read(samples)
		read := func(i int) uint64 { return samples[i].Value.Uint64() }
		objects, allocated := read(2), read(4)
		garbage := objects - min(objects, read(3))
		idle := read(0) + read(1) + garbage
		// Do nothing if the server is busy, because it will soon need the unused memory. The server is busy if it has
		// allocated more memory since the last tick than the memory that is unused now.
		if idle > releaseAbove && allocated-allocatedBefore < idle {
			debug.FreeOSMemory()
			a.log.Debug("returned unused memory to the operating system", slog.Uint64("bytes", idle))
		}
		allocatedBefore = allocated
	})
}
