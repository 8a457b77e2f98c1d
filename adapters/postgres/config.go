package postgres

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
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
	// TransactionPooling must be set if a pooler between Lockbox and PostgreSQL may run each transaction in another
	// session. Lockbox then uses no named prepared statements.
	TransactionPooling bool
	// Patient raises the time limit of the statements in transactions to PatientTimeout, for commands that read entire
	// tables.
	Patient bool
	Clock   ports.Clock
	// Log receives warnings about the database and its connections. nil discards them.
	Log *slog.Logger
	// OnStaleServerKey is called after a unit of work has returned ports.ErrStaleServerKey and before it is run again.
	// The function must reload the key ring. It runs outside of transactions. If OnStaleServerKey is nil, Store.Do
	// returns the error.
	OnStaleServerKey func(ctx context.Context) error
	// Tracer makes spans for batches. If it is nil, there are no spans.
	Tracer trace.Tracer
}

const (
	// StatementTimeout bounds one statement, and the time that a transaction may be idle between two statements.
	StatementTimeout = 10 * time.Second
	// PatientTimeout replaces StatementTimeout if Config.Patient is set.
	PatientTimeout = 10 * time.Minute
	// LongestTransaction is an upper bound for the duration of transactions that seal or sign data. Such a transaction
	// consists of few statements.
	LongestTransaction = 3 * StatementTimeout
	// LargeDeletion replaces StatementTimeout when a box or a user is deleted together with all rows that belong to it.
	LargeDeletion = 50 * time.Second

	// lockTimeout bounds the wait for a lock, because a waiting statement occupies a connection that other requests
	// need.
	lockTimeout = 5 * time.Second
	// answerTimeout is added to the timeout that the server applies to a statement. If no answer arrives within the sum
	// of both times, Lockbox abandons the statement, because the server is probably dead or unreachable.
	answerTimeout = 2 * time.Second
	// connectTimeout bounds one attempt to connect.
	connectTimeout = 5 * time.Second
	// hostTimeout replaces connectTimeout if the URL names several hosts. The driver tries the hosts one after the
	// other. After a failover, a host that does not answer must not delay the connection to the new primary.
	hostTimeout = 2 * time.Second
	// pingTimeout bounds the check of a connection that was idle. After a failover, such a connection may be dead
	// without an error.
	pingTimeout = time.Second
	// maxConnLifetime is the age at which a connection is replaced. The jitter keeps connections from being replaced at
	// the same time.
	maxConnLifetime       = time.Hour
	maxConnLifetimeJitter = 10 * time.Minute

	// cancelDelay is how long a statement may continue after its request was cancelled. Nearly all statements end
	// within this time, so cancelled requests usually cost the database nothing. If a statement takes longer, for
	// example because it waits for a lock, Lockbox requests that the server cancel it. This frees the connection for
	// other requests long before lockTimeout.
	cancelDelay = 200 * time.Millisecond
	// cancelTimeout bounds the wait for a statement to end after its request was cancelled. When this time has passed,
	// the connection is closed: the database does not answer, or a proxy discards cancel requests.
	cancelTimeout = 2 * time.Second

	defaultConns = 10
	// fullTimeout bounds the wait for a free connection of the pool while the server accepts no new connection.
	fullTimeout = 5 * time.Second
	// reservedConns is the number of connections that transactions leave free for single statements. Reads can use them
	// while transactions wait for each other.
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
	// Every other parameter is set on the role; see roleSettings.
	settings.ConnConfig.RuntimeParams["application_name"] = applicationName
	for _, each := range roleSettings {
		delete(settings.ConnConfig.RuntimeParams, each.name)
	}
	if err := setExecMode(settings.ConnConfig, config.TransactionPooling); err != nil {
		return nil, err
	}
	return settings, nil
}

// PoolSize returns the size of the pool for Config.MaxConns.
func PoolSize(maxConns int32) int {
	if maxConns == 0 {
		return max(defaultConns, runtime.NumCPU())
	}
	return int(maxConns)
}

// setExecMode chooses how statements are prepared. A named prepared statement belongs to a session. A pooler that
// changes sessions between transactions therefore needs unnamed statements; the driver caches their descriptions. The
// other modes of the driver are refused. describe_exec sends a statement and its parameters in two steps, and such a
// pooler may change the session in between. exec and simple_protocol lose the types of parameters.
func setExecMode(config *pgx.ConnConfig, transactionPooling bool) error {
	switch config.DefaultQueryExecMode {
	case pgx.QueryExecModeCacheStatement:
	case pgx.QueryExecModeCacheDescribe:
		transactionPooling = true
	default:
		return errors.New("the database URL sets default_query_exec_mode to a mode that Lockbox does not support: " +
			"remove this parameter, and set LOCKBOX_DB_POOLING=transaction for a pooler in transaction mode")
	}
	if transactionPooling {
		config.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	return nil
}

// statementTimeout is the time after which the server cancels a statement of a transaction.
func (c Config) statementTimeout() time.Duration {
	if c.Patient {
		return PatientTimeout
	}
	return StatementTimeout
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// largestInBatch is the largest size, in bytes, of a sealed value that is read or written in a batch. A larger value
// has its own statement, so other requests do not wait for it.
const largestInBatch = 64 << 10

// maxConcurrentBatches returns how many batches of one kind may run at the same time. One batch at a time would cost
// the least per request, but would leave most cores of a large machine idle. Most connections must remain free for
// other work. The limit applies separately to lookups and to writes, and does not count stalled batches.
func maxConcurrentBatches(maxConns int32) int {
	return max(1, min(runtime.GOMAXPROCS(0)/2, int(maxConns)/5, 4))
}
