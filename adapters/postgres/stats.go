package postgres

import (
	"time"

	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
)

// Stats are the counts of a Store since it was opened, and the current state of its pool and
// queues.
type Stats struct {
	Pool PoolStats
	// Lookups covers the requests of ports.EntryReader. Writes covers the requests of ports.EntryWriter.
	Lookups, Writes batch.Stats
	// WriteFallbacks counts the conditional writes that stored nothing. Their callers fall back to the locking path.
	WriteFallbacks int64
	// Events covers the requests of the event writer that was created last. It is zero if no event writer exists.
	Events batch.Stats
	Health Health
	// EventLogBytes is the last result of EventLogSize. EventsDeleted counts the events that DeleteOldEvents deleted.
	EventLogBytes, EventsDeleted int64
	// EventKinds counts the committed events for each pair of action and outcome. If an event stands for several
	// refused requests, each of them is counted.
	EventKinds map[EventKind]int64
}

// PoolStats describe the connection pool.
type PoolStats struct {
	// Used counts the connections that run a statement or a transaction. Idle counts the open connections that are
	// free. Max is the size of the pool.
	Used, Idle, Max int
	// Opened counts the connections that were opened.
	Opened int64
	// Replaced counts how often all idle connections were replaced because one connection did not answer.
	Replaced int64
	// Waits counts how often no connection was free. WaitTime is the total time spent waiting for a free connection.
	Waits    int64
	WaitTime time.Duration
}

// Stats returns the current counts.
func (s *Store) Stats() Stats {
	pool := s.pool.raw.Stat()
	stats := Stats{
		Pool: PoolStats{
			Used:     int(pool.AcquiredConns()),
			Idle:     int(pool.IdleConns()),
			Max:      int(pool.MaxConns()),
			Opened:   pool.NewConnsCount(),
			Replaced: s.pool.connector.replaced.Load(),
			Waits:    pool.EmptyAcquireCount(),
			WaitTime: pool.EmptyAcquireWaitTime(),
		},
		Lookups:        s.lookups.Stats(),
		Writes:         s.writes.Stats(),
		WriteFallbacks: s.writeFallbacks.Load(),
		Health:         s.health.last(),
		EventLogBytes:  s.eventLogBytes.Load(),
		EventsDeleted:  s.eventSweep.deleted.Load(),
		EventKinds:     s.eventCounts.values(),
	}
	if events := s.events.Load(); events != nil {
		stats.Events = events.batcher.Stats()
	}
	return stats
}
