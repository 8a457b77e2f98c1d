//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// TestAuditStreamSurvivesKills kills the server several times. Each time, the server is handling requests and writing
// events to standard output. Each event of the audit log must be in the output of at least one run.
func TestAuditStreamSurvivesKills(t *testing.T) {
	t.Parallel()
	database := pgtest.New(t)
	var programs []*program
	var root client
	for round := range 4 {
		p := serve(t, database, "AUDIT_STREAM=stdout")
		programs = append(programs, p)
		if round == 0 {
			root = p.initialize()
			root.do("POST", "/boxes/box", nil).expect(201)
			root.put("box", "entry", `1`).expect(201)
		}
		root.server = &p.server
		reader, ended := root, make(chan struct{})
		go func() {
			defer close(ended)
			for {
				_, err := reader.try("GET", "/boxes/box/entries/entry", "", "X-Encryption-Key", generatedKey)
				if err != nil {
					return // the program was killed
				}
			}
		}()
		time.Sleep(1500 * time.Millisecond) // several deliveries
		p.kill()
		<-ended
		run(t, database, `UPDATE event_stream SET lease_until = now()`) // as if the lease had expired
	}
	last := serve(t, database, "AUDIT_STREAM=stdout")
	programs = append(programs, last)
	want := pgtest.Column(t, database, `SELECT id::text FROM events ORDER BY id`)
	require.Greater(t, len(want), 100)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Zero(c, number(t, database, `SELECT count(*)::int FROM event_queue`))
		delivered := map[string]bool{}
		for _, p := range programs {
			for line := range strings.Lines(p.out.String()) {
				id, _, _ := strings.Cut(strings.TrimPrefix(line, `{"id":"`), `"`)
				delivered[id] = true
			}
		}
		for _, id := range want {
			require.True(c, delivered[id], id)
		}
	}, 20*time.Second, 200*time.Millisecond)
}
