package postgres

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/semaphore"

	"github.com/lockbox-go/lockbox/ports"
)

// Config is how to reach the database.
type Config struct {
	// URL is a connection string or URL, as libpq reads it.
	URL string
	// MaxConns bounds the pool; 0 means defaultConns, or one per core if that is more.
	MaxConns int32
	// Patient lifts the time limits on statements, for commands of the operator that read whole tables.
	Patient bool
	Clock   ports.Clock
	// OnStaleServerKey is called before a unit of work is run again that met ports.ErrStaleServerKey.
	OnStaleServerKey func(ctx context.Context) error
}

// LongestTransaction is the most that a transaction which seals or signs anything should last: the server ends a
// statement, and a transaction that does nothing, after StatementTimeout, and few statements stand in one. LargeDeletion
// is the limit of a statement that removes a box or a user with all that belongs to it.
const (
	StatementTimeout   = 10 * time.Second
	LongestTransaction = 3 * StatementTimeout
	LargeDeletion      = 50 * time.Second

	// lockTimeout bounds the wait for somebody else's lock, during which a connection is taken from everybody.
	lockTimeout     = 5 * time.Second
	defaultConns    = 10
	applicationName = "lockbox"
)

var errBadURL = errors.New("it is not a URL of the form postgres://user:password@host:5432/name; " +
	"characters such as @ : / and % in the password must be percent-encoded")

// Store is the database. It implements ports.Store, ports.EntryReader, ports.EntryWriter and ports.Janitor.
type Store struct {
	pool       *pgxpool.Pool
	read       ports.Repos
	clock      ports.Clock
	uses       *keyUses
	onStaleKey func(ctx context.Context) error
	// What concurrent requests ask for is carried out in batches.
	facts        *gatherer[factsAsked, factsFound]
	replacements *gatherer[ports.ConditionalWrite, bool]
	passedOver   atomic.Int64 // of the replacements
	// transactions bounds how many there are at once. Some connections are left for single statements, so that reads
	// are answered while transactions wait for each other.
	transactions *semaphore.Weighted
}

const reservedConns = 2

// Open makes the pool and asks once whether the database answers; Unavailable when it does not. The error repeats no
// password.
func Open(ctx context.Context, config Config) (*Store, error) {
	settings, err := poolConfig(config)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, unavailable(err)
	}
	store := &Store{
		pool:         pool,
		clock:        config.Clock,
		onStaleKey:   config.OnStaleServerKey,
		transactions: semaphore.NewWeighted(int64(max(1, settings.MaxConns-reservedConns))),
	}
	store.uses = newKeyUses(store)
	store.facts = newGatherer(store.lookUpFacts, factsBatch, batchesAtOnce(settings.MaxConns), whileWanted)
	store.replacements = newGatherer(store.replaceAll, replaceBatch, batchesAtOnce(settings.MaxConns), onceBegun)
	store.read = store.repos(pool, store.uses)
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, unavailable(err)
	}
	return store, nil
}

func poolConfig(config Config) (*pgxpool.Config, error) {
	settings, err := pgxpool.ParseConfig(config.URL)
	if err != nil || strings.Contains(settings.ConnConfig.Host, "@") {
		// The driver's words may hold a part of the password, where that has characters that were not encoded.
		return nil, errBadURL
	}
	settings.MaxConns = config.MaxConns
	if config.MaxConns == 0 {
		settings.MaxConns = int32(max(defaultConns, runtime.NumCPU())) //nolint:gosec // a machine has fewer cores
	}
	settings.MaxConnLifetime = time.Hour
	settings.MaxConnLifetimeJitter = 10 * time.Minute
	settings.ConnConfig.ConnectTimeout = 5 * time.Second
	// A connection that was idle is tried before it is used: after a failover it may be dead without saying so.
	settings.PingTimeout = time.Second
	settings.ConnConfig.OnNotice = noteLostReplication
	// Plans are made once and kept, often while the tables are still empty, when to read them from end to end looks cheap.
	// All statements look up few rows by indexes: none is better served by that, by another join, or by being compiled.
	for _, unwanted := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		settings.ConnConfig.RuntimeParams[unwanted] = "off"
	}
	settings.ConnConfig.RuntimeParams["application_name"] = applicationName
	settings.ConnConfig.RuntimeParams["lock_timeout"] = milliseconds(lockTimeout)
	settings.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(StatementTimeout)
	if !config.Patient {
		settings.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds(StatementTimeout)
	}
	return settings, nil
}

// largestInBatch bounds, in bytes, the sealed values that are read and stored together with those of others, who would
// wait for larger ones.
const largestInBatch = 64 << 10

// batchesAtOnce is how many batches of one kind are under way: one alone makes the largest, which cost the least, and
// leaves most cores of a large machine idle. Two kinds come together, each with some that are overdue: most connections are
// left to others.
func batchesAtOnce(maxConns int32) int {
	return max(1, min(runtime.GOMAXPROCS(0)/2, int(maxConns)/5, 4))
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// SetOnStaleServerKey sets what Config.OnStaleServerKey is, for whoever needs the Store to make it. It must be called
// before the first unit of work.
func (s *Store) SetOnStaleServerKey(reload func(ctx context.Context) error) { s.onStaleKey = reload }

// Close answers what waits, writes down what was noted, waits for connections in use and closes them all.
func (s *Store) Close() {
	s.facts.close()
	s.replacements.close()
	s.uses.close()
	s.pool.Close()
}

// Stat returns the state of the pool.
func (s *Store) Stat() *pgxpool.Stat { return s.pool.Stat() }

// FactsStats says how many looks of ports.EntryReader were answered, in how many batches.
func (s *Store) FactsStats() GathererStats { return s.facts.statistics() }

// ReplacementStats says how many replacements of ports.EntryWriter were tried, in how many batches.
func (s *Store) ReplacementStats() GathererStats { return s.replacements.statistics() }

// ReplacementsPassedOver is how many were not stored, and had to be decided anew under the lock.
func (s *Store) ReplacementsPassedOver() int64 { return s.passedOver.Load() }

// Read returns the repositories outside any transaction.
func (s *Store) Read() ports.Repos { return s.read }

// CheckWritable returns nil when the database answers and takes writes; a standby does not.
func (s *Store) CheckWritable(ctx context.Context) error {
	var readOnly string
	if err := s.pool.QueryRow(ctx, `SHOW transaction_read_only`).Scan(&readOnly); err != nil {
		return translate(err)
	}
	if readOnly == "on" {
		return unavailable(fmt.Errorf("the database is read-only"))
	}
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, batch *pgx.Batch) pgx.BatchResults
}

// repos returns the repositories over q. uses is where the use of API keys is noted; nil inside transactions.
func (s *Store) repos(q querier, uses *keyUses) ports.Repos {
	return ports.Repos{
		Callers:       callers{q: q, clock: s.clock, uses: uses},
		System:        system{q},
		Users:         users{q},
		APIKeys:       apiKeys{q},
		Sessions:      sessions{q},
		TOTPSecrets:   totpSecrets{q},
		TokenFamilies: tokenFamilies{q},
		Attempts:      attempts{q},
		Boxes:         boxes{q},
		BoxUsers:      boxUsers{q},
		Entries:       entries{q},
		Events:        events{q},
		Droplets:      dropletRecords{q},
		ServerKeys:    serverKeys{q},
		SealedRows:    sealedRows{q},
	}
}
