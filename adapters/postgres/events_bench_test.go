package postgres_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
)

// manyEvents inserts a million events. Each identifier begins with a time. These times increase by one millisecond from
// event to event.
const manyEvents = `INSERT INTO events (id, at, action, outcome, actor_id, actor_name, credential_id, box_id, box_name,
		entry_key, target, request_id, address)
	SELECT (lpad(to_hex(1700000000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 19))::uuid,
		to_timestamp(1700000000 + n / 1000.0), 'entry.read', 'success', md5(n::text)::uuid, 'user-' || n % 100,
		md5(n::text)::uuid, md5((n % 50)::text)::uuid, 'box-' || n % 50, 'entry-' || n % 1000, '',
		md5(n::text)::uuid::text, '192.0.2.1'
	FROM generate_series(1, 1000000) n`

// BenchmarkSearchEvents reads one page from a log of a million events, with filters that match no, some or all events.
func BenchmarkSearchEvents(b *testing.B) {
	store, url := openStore(b, nil)
	execute(b, url, manyEvents)
	execute(b, url, `VACUUM ANALYZE events`)
	box, ok := domain.ParseID[domain.Box](pgtest.Column(b, url, `SELECT md5('7')::uuid::text`)[0])
	require.True(b, ok)
	for name, filter := range map[string]ports.EventFilter{
		"by-user":     {Actor: "unknown", Limit: 100},
		"by-action":   {Action: domain.ActionDeleteBox, Limit: 100},
		"in-a-box":    {Box: box, Actor: "unknown", Limit: 100},
		"unfiltered":  {Limit: 100},
		"common-user": {Actor: "user-7", Limit: 100},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				_, err := store.Read().Events.List(b.Context(), filter)
				require.NoError(b, err)
			}
		})
	}
}

// BenchmarkDeleteOldEvents deletes a million events in batches of 2000, and reports the time of the slowest batch.
func BenchmarkDeleteOldEvents(b *testing.B) {
	store, url := openStore(b, nil)
	for b.Loop() {
		b.StopTimer()
		execute(b, url, manyEvents)
		b.StartTimer()
		var slowest time.Duration
		for deleted := 2000; deleted == 2000; {
			started := time.Now()
			var err error
			deleted, err = store.DeleteOldEvents(b.Context(), clock{}.Now(), 2000)
			require.NoError(b, err)
			slowest = max(slowest, time.Since(started))
		}
		require.Zero(b, pgtest.Number(b, url, `SELECT count(*) FROM events`))
		b.ReportMetric(float64(slowest.Milliseconds()), "ms/slowest-batch")
	}
}
