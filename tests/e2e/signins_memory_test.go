//go:build e2e && linux

package e2e

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestMemoryOfManySignIns verifies that a hundred concurrent sign-ins stay below the memory bound in docs/operating.md.
func TestMemoryOfManySignIns(t *testing.T) {
	p := serve(t, pgtest.New(t), "KDF_MEMORY_KIB=19456", "KDF_TIME=2")
	p.initialize()
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			got := p.as("").do("POST", "/authenticate",
				map[string]string{"username": fmt.Sprintf("stranger-%d", i), "password": "wrong-password"})
			if got.Status != http.StatusUnauthorized && got.Status != http.StatusServiceUnavailable {
				t.Errorf("%d: %s", got.Status, got.Body)
			}
		})
	}
	group.Wait()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	require.NoError(t, err)
	peak, err := strconv.Atoi(regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindStringSubmatch(string(status))[1])
	require.NoError(t, err)
	limit := 96<<10 + max(1, runtime.NumCPU()/2)*2*19456
	t.Logf("100 sign-ins at once: at most %d KiB resident, of %d", peak, limit)
	require.Less(t, peak, limit)
}
