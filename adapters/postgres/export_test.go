package postgres

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ConnConfig returns the settings of a Store's connections.
func ConnConfig(url string) (*pgx.ConnConfig, error) {
	settings, err := poolConfig(Config{URL: url})
	if err != nil {
		return nil, err
	}
	return settings.ConnConfig, nil
}

// Pool returns the connections of a store.
func (s *Store) Pool() *pgxpool.Pool { return s.pool.raw }

// LimitStatements sets the time of a single statement. Call it before the store is used.
func (s *Store) LimitStatements(limit time.Duration) { s.pool.limit = limit }

// SeeTimeline makes a store believe that a connection has reported a timeline, and returns the highest one before.
func (s *Store) SeeTimeline(timeline uint32) (before uint32) {
	return s.pool.connector.timeline.Swap(timeline)
}

// AcceptTimeline decides about a connection that reports a timeline.
func (s *Store) AcceptTimeline(timeline uint32) error {
	return s.pool.connector.acceptTimeline(timeline)
}

// ClockSkew is the skew of the clock there, which was read between sent and received.
func ClockSkew(sent, there, received time.Time) time.Duration {
	return clockSkew(sent, there, received)
}

// CancelDelay is how long a statement continues after its request was cancelled.
const CancelDelay = cancelDelay

// MaxExaminedEvents is the number of events that a search reads for one page.
const MaxExaminedEvents = maxExaminedEvents

// KeptDeletedKeys is the number of rows of swept entries that a box keeps.
const KeptDeletedKeys = keptDeletedKeys

// HotStatements returns the statements that reads and writes of entries run, by their purpose.
func HotStatements() map[string]string {
	statements := map[string]string{"events": insertEvents, "keys": keysSQL, "deleted keys": removedCountSQL}
	for name, filter := range map[string]ports.EventFilter{
		"audit":                 {},
		"audit of a box":        {Box: domain.BoxID{1}},
		"search":                {Actor: "anna", Action: domain.ActionReadEntry},
		"search in a box":       {Box: domain.BoxID{1}, Actor: "anna"},
		"search by action only": {Action: domain.ActionReadEntry},
	} {
		filter.Limit = 100
		statements[name], _ = listSQL(filter)
	}
	for kind, sql := range lookupStatements {
		name := fmt.Sprintf("lookup by %s for %s", kind.credential, kind.purpose)
		statements[name+", single"], statements[name+", batch"] = sql.single, sql.batch
	}
	for kind := range credentialSources {
		statements[fmt.Sprintf("access by %s", kind)] = accessSQL(kind)
		statements[fmt.Sprintf("writes by %s", kind)] = writeStatements[kind]
	}
	return statements
}
