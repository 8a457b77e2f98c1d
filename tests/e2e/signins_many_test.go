//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestManySignIns sends a hundred concurrent sign-ins on two cores. If the queue is full, a sign-in must get 503 with
// the header Retry-After. Meanwhile, reads must succeed.
func TestManySignIns(t *testing.T) {
	t.Parallel()
	s := start(t, "KDF_MEMORY_KIB=19456", "KDF_TIME=2", "THROTTLE_FREE_ATTEMPTS=5")
	root := s.initialize()
	root.box("default")
	root.put("default", "entry", `1`).expect(201)
	for i := range 10 {
		root.user(fmt.Sprintf("user-%d", i))
	}
	run(t, s.db, `UPDATE throttle SET failures = 0`)
	stop, slowest := make(chan struct{}), time.Duration(0)
	var reader, group sync.WaitGroup
	reader.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				begin := time.Now()
				root.get("default", "entry").expect(200)
				slowest = max(slowest, time.Since(begin))
			}
		}
	})
	var mu sync.Mutex
	counts := map[int]int{}
	for i := range 100 {
		group.Go(func() {
			got := s.as("").do("POST", "/authenticate",
				map[string]string{"username": fmt.Sprintf("stranger-%d", i), "password": "wrong-password"})
			if got.Status != http.StatusUnauthorized {
				if got.Header.Get("Retry-After") == "" {
					t.Errorf("%d without Retry-After", got.Status)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			counts[got.Status]++
		})
	}
	group.Wait()
	close(stop)
	reader.Wait()
	t.Logf("100 sign-ins at once: %v; the slowest read of a value meanwhile took %s", counts, slowest)
	require.Equal(t, 100, counts[401]+counts[503])
	require.Positive(t, counts[401])
}
