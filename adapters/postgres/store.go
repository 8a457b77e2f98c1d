package postgres

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/adapters/postgres/batch"
	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/ports"
)

// Store is the database. It implements ports.Store, ports.EntryReader, ports.EntryWriter and
// ports.Janitor, and is safe for concurrent use.
type Store struct {
	pool   *pool
	health health
	// If patient is true, the statement timeout of transactions is PatientTimeout.
	patient    bool
	read       ports.Repos
	clock      ports.Clock
	tracer     trace.Tracer // nil if there are no traces
	keyUses    *keyUses
	onStaleKey func(ctx context.Context) error
	// lookups runs requests of ports.EntryReader in batches. writes runs requests of ports.EntryWriter in batches.
	lookups        *batch.Batcher[lookup, lookupResult]
	writes         *batch.Batcher[ports.ConditionalWrite, bool]
	writeFallbacks atomic.Int64
	// events is the event writer that was created last. Stats returns its counts.
	events atomic.Pointer[EventWriter]
	// eventSweep is the position of DeleteOldEvents. eventLogBytes is the last result of EventLogSize.
	eventSweep    eventSweep
	eventLogBytes atomic.Int64
	// eventCounts counts the events that this store has committed.
	eventCounts eventCounts
	// transactions limits the concurrent transactions to the size of the pool minus reservedConns.
	transactions *fairSlots
	// largeReads limits the concurrent reads of large values: at most half of the connections may run such reads. A
	// value is large if its size exceeds largestInBatch. It takes milliseconds to arrive and uses much memory.
	largeReads *fairSlots
}

var (
	_ ports.Store       = (*Store)(nil)
	_ ports.EntryReader = (*Store)(nil)
	_ ports.EntryWriter = (*Store)(nil)
	_ ports.Janitor     = (*Store)(nil)
	_ ports.EventWriter = (*EventWriter)(nil)
)

// Open creates the pool and pings the database. If the database does not answer, Open returns an error of kind
// Unavailable. If it is a standby, that error also wraps ErrStandby. If the database refuses connections for a lasting
// reason, the error wraps connect.ErrRefused. Open also fails if the role does not have the settings that Lockbox
// needs, and is not allowed to change them. No error contains the password.
func Open(ctx context.Context, config Config) (*Store, error) {
	settings, err := poolConfig(config)
	if err != nil {
		return nil, err
	}
	log := config.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	pool, err := openPool(ctx, settings, &connector{log: log}, statementLimit(config.statementTimeout()))
	if err != nil {
		return nil, unavailable(err)
	}
	store := &Store{
		pool:         pool,
		patient:      config.Patient,
		clock:        config.Clock,
		tracer:       config.Tracer,
		onStaleKey:   config.OnStaleServerKey,
		eventCounts:  newEventCounts(),
		transactions: newFairSlots(int64(settings.MaxConns - reservedConns)),
		largeReads:   newFairSlots(int64(settings.MaxConns / 2)),
	}
	concurrent := maxConcurrentBatches(settings.MaxConns)
	store.keyUses = newKeyUses(pool)
	store.lookups = batch.New(store.runLookups, batch.Config{
		Observe:       traceBatches(config.Tracer, "lookup batch"),
		MaxBatch:      maxLookupBatch,
		MaxConcurrent: concurrent,
		OnCancel:      batch.DropOnCancel, // a lookup has no effect
	})
	store.writes = batch.New(store.runWrites, batch.Config{
		Observe:       traceBatches(config.Tracer, "write batch"),
		MaxBatch:      maxWriteBatch,
		MaxConcurrent: concurrent,
		OnCancel:      batch.FinishIfStarted, // a cancelled commit has an unknown outcome
	})
	store.read = store.repos(pool, store.keyUses)
	if err := store.ping(ctx); err != nil {
		pool.raw.Close()
		return nil, err
	}
	if err := ensureRoleSettings(ctx, pool); err != nil {
		pool.raw.Close()
		return nil, err
	}
	return store, nil
}

// Close completes queued requests, stores pending uses of API keys, waits until no connection is in use, and closes the
// pool. The caller must close the event writer before it calls Close.
func (s *Store) Close() {
	s.lookups.Close()
	s.writes.Close()
	s.keyUses.close()
	s.pool.raw.Close()
}

// CloseWithin limits the time that Close may take, even if the database does not answer. It returns immediately. After
// the given time, the connections of the statements that still run are closed.
func (s *Store) CloseWithin(limit time.Duration) {
	time.AfterFunc(limit, s.pool.connector.conns.closeAll)
}

// ping connects to the database. Open calls it to detect a wrong address immediately. Otherwise the pool would connect
// only for the first request.
func (s *Store) ping(ctx context.Context) error {
	ctx, cancel := s.pool.bound(ctx)
	if cancel != nil {
		defer cancel()
	}
	err := connect.ExplainRefusal(s.pool.raw.Ping(ctx))
	if err == nil || errors.Is(err, connect.ErrRefused) {
		return err
	}
	return unavailable(err)
}

// Read returns the repositories for use outside of transactions.
func (s *Store) Read() ports.Repos { return s.read }

// LogsParameters reports whether PostgreSQL is configured to write the parameters of statements to its log, for example
// for slow or failed statements. Parameters contain names. They can even contain a password, if a user has typed it
// into the wrong field.
func (s *Store) LogsParameters(ctx context.Context) (bool, error) { return logsParameters(ctx, s.pool) }

// logsParameters does the work of LogsParameters. The argument q can be a pool or a single connection.
func logsParameters(ctx context.Context, q querier) (bool, error) {
	logs := false
	err := q.QueryRow(ctx, `SELECT current_setting('log_parameter_max_length_on_error') <> '0'
		OR current_setting('log_parameter_max_length') <> '0' AND (current_setting('log_statement') IN ('mod', 'all')
			OR current_setting('log_min_duration_statement') <> '-1'
			OR current_setting('log_min_duration_sample') <> '-1')`).Scan(&logs)
	return logs, translate(err)
}

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

var (
	_ querier = (*pool)(nil)
	_ querier = (*transaction)(nil)
	_ querier = pgx.Tx(nil)
)

// repos returns repositories that run their statements on q. They record the use of API keys in the argument uses. If
// this argument is nil, as in a transaction, they do not record it.
func (s *Store) repos(q querier, uses *keyUses) ports.Repos {
	return ports.Repos{
		Callers:       callers{q: q, clock: s.clock, uses: uses},
		System:        system{q},
		Users:         users{q},
		APIKeys:       apiKeys{q},
		Sessions:      sessions{q},
		TOTPSecrets:   totpSecrets{q},
		Identities:    identities{q},
		TokenFamilies: tokenFamilies{q},
		Invitations:   invitations{q},
		Attempts:      attempts{q},
		SignIns:       signIns{q},
		Boxes:         boxes{q},
		BoxUsers:      boxUsers{q},
		BoxKeyrings:   boxKeyrings{q},
		Entries:       entries{q},
		Events:        events{q},
		Droplets:      dropletRecords{q},
		ServerKeys:    serverKeys{q},
		SealedRows:    sealedRows{q},
	}
}
