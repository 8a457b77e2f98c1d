package boot

import (
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/httpapi"
)

// TestControlGroupLimit verifies that controlGroupLimit reads the right files of both versions of control groups.
func TestControlGroupLimit(t *testing.T) {
	t.Parallel()
	const none = math.MaxInt64
	for name, test := range map[string]struct {
		files map[string]string
		limit int64
	}{
		"no Linux": {nil, none},
		"version 2": {map[string]string{"proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "1000\n"}, 1000},
		"version 2, no max": {map[string]string{"proc/self/cgroup": "0::/a\n",
			"sys/fs/cgroup/a/memory.max": "max\n"}, none},
		"the parent's": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "2000\n",
			"sys/fs/cgroup/a/memory.max": "1000\n"}, 1000},
		"the child's": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000\n",
			"sys/fs/cgroup/a/memory.max": "max\n"}, 1000},
		"in a container": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000\n"}, 1000},
		"version 1": {map[string]string{"proc/self/cgroup": "5:cpu:/\n4:memory:/a\n0::/\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n"}, 1000},
		"version 1 with others": {map[string]string{"proc/self/cgroup": "4:cpu,memory:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n"}, 1000},
		"version 1 in a container": {map[string]string{"proc/self/cgroup": "4:memory:/docker/abc\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "1000\n"}, 1000},
		"another controller": {map[string]string{"proc/self/cgroup": "4:memory_other:/a\n",
			"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "1000\n"}, none},
		"malformed": {map[string]string{"proc/self/cgroup": "x\n0::/a\n", "sys/fs/cgroup/a/memory.max": "-1\n"}, none},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			for file, text := range test.files {
				require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o700))
				require.NoError(t, os.WriteFile(filepath.Join(root, file), []byte(text), 0o600))
			}
			require.Equal(t, test.limit, controlGroupLimit(root))
		})
	}
}

// TestBoundsOfSettings verifies that settings override the bounds that are derived from the memory.
func TestBoundsOfSettings(t *testing.T) {
	t.Parallel()
	derived := httpapi.NewBounds(256 << 20)
	for name, test := range map[string]struct {
		change func(*Config)
		want   func(*httpapi.Bounds)
	}{
		"derived":     {func(*Config) {}, func(*httpapi.Bounds) {}},
		"connections": {func(c *Config) { c.MaxConnections = 5 }, func(b *httpapi.Bounds) { b.Connections = 5 }},
		"requests, with lower shares": {func(c *Config) { c.MaxRequests = 7 },
			func(b *httpapi.Bounds) { b.Requests, b.RequestsPerUser, b.RequestsPerAddress = 7, 7, 7 }},
		"shares": {func(c *Config) { c.MaxRequestsPerUser, c.MaxRequestsPerAddress = 8, 9 },
			func(b *httpapi.Bounds) { b.RequestsPerUser, b.RequestsPerAddress = 8, 9 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := Config{MemoryLimit: 256 << 20}
			test.change(&config)
			want := derived
			test.want(&want)
			require.Equal(t, want, config.bounds())
		})
	}
}

// TestDerivationsFitIntoTheMemory verifies that concurrent key derivations use at most their part of the memory, and
// that at least one derivation is always allowed.
func TestDerivationsFitIntoTheMemory(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		memory ByteSize
		kib    uint32
	}{{64 << 20, 19456}, {256 << 20, 19456}, {256 << 20, 262144}, {1 << 30, 8}} {
		config := Config{MemoryLimit: test.memory, KDFMemoryKiB: test.kib}
		n := config.maxDerivations()
		require.GreaterOrEqual(t, n, 1)
		if n > 1 {
			require.LessOrEqual(t, int64(n)*2*int64(test.kib)<<10, int64(test.memory)*kdfShare/100)
		}
	}
}

// TestSizingTable compares the table in docs/operating.md with the bounds of a server.
func TestSizingTable(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operating.md")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^\| (\d+ [MG]iB) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|`).FindAllStringSubmatch(
		string(text), -1)
	require.Len(t, rows, 4)
	for _, row := range rows {
		limit := strings.ToLower(strings.TrimSuffix(strings.ReplaceAll(row[1], " ", ""), "iB"))
		config, _, err := ReadEnvironment([]string{"LOCKBOX_MEMORY_LIMIT=" + limit})
		require.NoError(t, err)
		bounds := config.bounds()
		require.Equal(t, row[2:], []string{strconv.Itoa(bounds.Connections), strconv.Itoa(bounds.Requests),
			strconv.Itoa(bounds.RequestsPerUser), strconv.Itoa(config.derivationsInMemory())}, row[1])
	}
}
