package postgres

import (
	"context"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel/trace"

	"github.com/lockbox-go/lockbox/ports"
)

// Config describes how to reach the database.
type Config struct {
	// URL is a connection string or URL in libpq's format.
	URL string
	// MaxConns bounds the pool. 0 means 10, or the number of cores if that is higher.
	MaxConns int32
	// Patient raises the time of a statement to PatientTimeout, for commands that read entire tables.
	Patient bool
	Clock   ports.Clock
	// Log receives warnings about the database and its connections. nil discards them.
	Log *slog.Logger
	// OnStaleServerKey is called after a unit of work has returned ports.ErrStaleServerKey and
	// before it is run again. It reloads the key ring. It runs outside any transaction. If it is
	// nil, the error is returned.
	OnStaleServerKey func(ctx context.Context) error
	// Tracer makes spans for batches; nil makes none.
	Tracer trace.Tracer
}

const (
	// StatementTimeout bounds one statement, and the time that a transaction may be idle between two statements.
	StatementTimeout = 10 * time.Second
	// PatientTimeout replaces StatementTimeout if Config.Patient is set.
	PatientTimeout = 10 * time.Minute
	// LongestTransaction is an upper bound for transactions that seal or sign something: they
	// consist of few statements.
	LongestTransaction = 3 * StatementTimeout
	// LargeDeletion replaces StatementTimeout when a box or a user is deleted with everything that
	// belongs to it.
	LargeDeletion = 50 * time.Second

	// lockTimeout bounds the wait for a lock: a waiting statement occupies a connection that other
	// requests need.
	lockTimeout = 5 * time.Second
	// answerTimeout is the time beyond its server-side timeout after which a statement is given up: the server is dead
	// or cannot be reached.
	answerTimeout = 2 * time.Second
	// connectTimeout bounds one attempt to connect.
	connectTimeout = 5 * time.Second
	// pingTimeout bounds the check of a connection that was idle: after a failover it may be dead
	// without an error.
	pingTimeout = time.Second
	// maxConnLifetime replaces old connections. The jitter keeps them from being replaced at the
	// same time.
	maxConnLifetime       = time.Hour
	maxConnLifetimeJitter = 10 * time.Minute

	// cancelDelay is how long a statement may continue after its request was cancelled. Nearly all statements end
	// within this time, so the cancellation of their requests costs the database nothing. For a statement that takes
	// longer, such as one that waits for a lock, the server is asked to cancel it. That frees the connection for
	// other requests long before lockTimeout.
	cancelDelay = 200 * time.Millisecond
	// cancelTimeout bounds the wait for a statement to end after its request was cancelled. Then the connection is
	// closed: the database does not answer, or a proxy discards cancel requests.
	cancelTimeout = 2 * time.Second

	defaultConns = 10
	// fullTimeout bounds the wait for a connection of the pool if the server accepts no further connection.
	fullTimeout = 5 * time.Second
	// reservedConns are the connections that transactions leave free for single statements, so that
	// reads are answered while transactions wait for each other.
	reservedConns   = 2
	applicationName = "lockbox"
)

// poolConfig returns the settings of the pool.
func poolConfig(config Config) (*pgxpool.Config, error) {
	settings, err := parseURL(config.URL)
	if err != nil {
		return nil, err
	}
	settings.MaxConns = int32(PoolSize(config.MaxConns)) //nolint:gosec // a machine has fewer cores
	settings.MaxConnLifetime = maxConnLifetime
	settings.MaxConnLifetimeJitter = maxConnLifetimeJitter
	settings.PingTimeout = pingTimeout
	// Prepared statements keep their plan. The server may plan them while the tables are still empty and a sequential
	// scan looks cheap. All statements find few rows by an index, so none needs these plans or compilation.
	for _, unwanted := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"} {
		settings.ConnConfig.RuntimeParams[unwanted] = "off"
	}
	settings.ConnConfig.RuntimeParams["application_name"] = applicationName
	settings.ConnConfig.RuntimeParams["lock_timeout"] = milliseconds(lockTimeout)
	settings.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(StatementTimeout)
	settings.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds(config.statementTimeout())
	return settings, nil
}

// PoolSize returns the size of the pool for Config.MaxConns.
func PoolSize(maxConns int32) int {
	if maxConns == 0 {
		return max(defaultConns, runtime.NumCPU())
	}
	return int(maxConns)
}

// statementTimeout is the time after which the server cancels a statement.
func (c Config) statementTimeout() time.Duration {
	if c.Patient {
		return PatientTimeout
	}
	return StatementTimeout
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// largestInBatch is the size in bytes up to which a sealed value is read or written in a batch.
// Larger values use statements of their own, so that the rest of the batch does not wait for them.
const largestInBatch = 64 << 10

// maxConcurrentBatches returns how many batches of one kind run at the same time. A single batch at a time would cost
// the least per request, but would leave most cores of a large machine idle. The limit applies to lookups and to writes
// separately and excludes stalled batches. Most connections must remain free for other work.
func maxConcurrentBatches(maxConns int32) int {
	return max(1, min(runtime.GOMAXPROCS(0)/2, int(maxConns)/5, 4))
}
