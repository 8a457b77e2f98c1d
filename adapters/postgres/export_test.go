package postgres

import (
	"context"
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

// LimitStatements sets the time limit of a single statement. Call it before the store is used.
func (s *Store) LimitStatements(limit time.Duration) { s.pool.limit = limit }

// SeeTimeline stores a timeline as the highest one that a connection of the store has reported. It returns the highest
// timeline before the call.
func (s *Store) SeeTimeline(timeline uint32) (before uint32) {
	return s.pool.connector.timeline.Swap(timeline)
}

// AcceptTimeline returns an error if the store would refuse a connection that reports the timeline.
func (s *Store) AcceptTimeline(timeline uint32) error {
	return s.pool.connector.acceptTimeline(timeline)
}

// ClockSkew exports clockSkew for tests.
func ClockSkew(sent, there, received time.Time) time.Duration {
	return clockSkew(sent, there, received)
}

// CancelDelay is how long a statement may continue after its request was cancelled.
const CancelDelay = cancelDelay

// MaxExaminedEvents is the number of events that a search reads for one page.
const MaxExaminedEvents = maxExaminedEvents

// KeptDeletedKeys is the number of rows that a box keeps for entries that were permanently deleted; see
// keptDeletedKeys.
const KeptDeletedKeys = keptDeletedKeys

// HotStatements returns the statements for reading and writing entries. The map keys describe the purposes of the
// statements.
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

// RoleSettings returns the settings that sessions need, in the form in which PostgreSQL stores them.
func RoleSettings() (list []string) {
	for _, each := range roleSettings {
		list = append(list, each.name+"="+each.value())
	}
	return list
}

// ShowInTransaction returns the value that a parameter has in the transactions of the store.
func (s *Store) ShowInTransaction(ctx context.Context, name string) (value string, err error) {
	err = s.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		return repos.Users.(users).q.QueryRow(ctx, `SELECT current_setting($1)`, name).Scan(&value)
	})
	return value, err
}
