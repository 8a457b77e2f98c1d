//go:build e2e

package e2e

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestRequestsQueueForFewConnections sends many concurrent requests to ten replicas. Each replica has only two database
// connections. Every request must be answered without an error.
func TestRequestsQueueForFewConnections(t *testing.T) {
	t.Parallel()
	const replicas, clients, turns = 10, 64, 6
	database := pgtest.New(t)
	servers := make([]*server, replicas)
	for i := range servers {
		servers[i] = startOn(t, database, "DB_MAX_CONNS=2")
	}
	root := servers[0].initialize()
	root.do("POST", "/boxes/busy", nil).expect(201)
	root.put("busy", "shared", `"first"`).expect(201)
	var group sync.WaitGroup
	answers := make([][]*answer, clients)
	for n := range clients {
		client := root.at(servers[n%replicas])
		group.Go(func() {
			for turn := range turns {
				own := fmt.Sprintf("own-%d", n)
				answers[n] = append(answers[n],
					client.put("busy", own, fmt.Sprint(turn)),
					client.get("busy", own),
					client.put("busy", "shared", fmt.Sprint(n)),
					client.do("GET", "/boxes/busy/entries", nil),
					client.do("GET", "/whoami", nil))
			}
		})
	}
	group.Wait()
	for n, all := range answers {
		require.Len(t, all, 5*turns)
		for i, each := range all {
			require.Less(t, each.Status, 300, "client %d: %s: %s", n, each.request, each.Body)
			if i%5 == 1 {
				require.Equal(t, fmt.Sprint(i/5), string(each.Body), "the value that was just written")
			}
		}
	}
	require.Equal(t, fmt.Sprintf(`"%d"`, 1+clients*turns), root.get("busy", "shared").expect(200).Header.Get("ETag"),
		"no write was lost")
	for _, each := range servers {
		require.Empty(t, each.errors())
	}
}
