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

	"github.com/lockbox-go/lockbox/adapters/postgres/connect"
	"github.com/lockbox-go/lockbox/ports"
)

// Config describes how to reach the database.
type Config struct {
	// URL is a connection string or URL in libpq's format.
	URL string
	// MaxConns is the size of the pool. If it is 0, the size is 10 or the number of cores, whichever is higher.
	MaxConns int32
	// TransactionPooling must be true if Lockbox connects through a pooler in transaction mode, which may run each
	// transaction in a different session. Lockbox then uses no named prepared statements.
	TransactionPooling bool
	// Patient is for commands that read entire tables. It raises the time limit of a statement in a transaction to
	// PatientTimeout.
	Patient bool
	Clock   ports.Clock
	// Log receives warnings about the database and its connections. If Log is nil, the warnings are discarded.
	Log *slog.Logger
	// OnStaleServerKey is called if a unit of work returns ports.ErrStaleServerKey. Store.Do then runs the unit of work
	// again. The function must reload the key ring. It runs outside of transactions. If OnStaleServerKey is nil,
	// Store.Do returns the error.
	OnStaleServerKey func(ctx context.Context) error
	// Tracer makes spans for batches. If it is nil, there are no spans.
	Tracer trace.Tracer
}

const (
	// StatementTimeout limits the duration of each statement. It also limits the idle time between two statements of a
	// transaction.
	StatementTimeout = 10 * time.Second
	// PatientTimeout replaces StatementTimeout if Config.Patient is set.
	PatientTimeout = 10 * time.Minute
	// LongestTransaction is the longest duration of a transaction that seals or signs data. Such a transaction consists
	// of only a few statements.
	LongestTransaction = 3 * StatementTimeout
	// LargeDeletion replaces StatementTimeout when a box or a user is deleted together with all rows that belong to it.
	LargeDeletion = 50 * time.Second

	// lockTimeout bounds the wait for a lock, because a waiting statement occupies a connection that other requests
	// need.
	lockTimeout = 5 * time.Second
	// answerTimeout is how long Lockbox still waits for a response after the server should have cancelled a statement.
	// If no response arrives in this time, Lockbox abandons the statement, because the server is probably dead or
	// unreachable.
	answerTimeout = 2 * time.Second
	// pingTimeout bounds the check of a connection that was idle. After a failover, such a connection may be dead
	// although it has not reported an error.
	pingTimeout = time.Second
	// maxConnLifetime is the age at which a connection is replaced. The jitter spreads the replacements over time.
	maxConnLifetime       = time.Hour
	maxConnLifetimeJitter = 10 * time.Minute

	// cancelDelay is how long a statement may continue after its request was cancelled. Nearly all statements end
	// within this time, so Lockbox rarely has to cancel a statement. If a statement takes longer, for example because
	// it waits for a lock, Lockbox requests that the server cancel it. This frees the connection for other requests
	// long before lockTimeout ends.
	cancelDelay = 200 * time.Millisecond
	// cancelTimeout bounds the wait for a statement to end after its request was cancelled. After this time, Lockbox
	// closes the connection, because either the database does not respond or a proxy discards cancel requests.
	cancelTimeout = 2 * time.Second

	defaultConns = 10
	// fullTimeout bounds the wait for a free connection of the pool if the server accepts no new connection.
	fullTimeout = 5 * time.Second
	// reservedConns is the number of connections that only single statements may use. Reads can therefore continue
	// while transactions wait for each other's locks.
	reservedConns   = 2
	applicationName = "lockbox"
)

// poolConfig returns the settings of the pool.
func poolConfig(config Config) (*pgxpool.Config, error) {
	settings, err := connect.ParsePoolURL(config.URL)
	if err != nil {
		return nil, err
	}
	settings.MaxConns = int32(PoolSize(config.MaxConns)) //nolint:gosec // a machine has fewer cores
	settings.MaxConnLifetime = maxConnLifetime
	settings.MaxConnLifetimeJitter = maxConnLifetimeJitter
	settings.PingTimeout = pingTimeout
	// Of the parameters that Lockbox needs, the connection request contains only application_name. The others are
	// stored as settings of the role; see roleSettings.
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

// setExecMode chooses how the driver prepares statements. A named prepared statement exists only in one session, but a
// pooler in transaction mode may run each transaction in a different session. For such a pooler, setExecMode chooses
// the mode cache_describe: statements are unnamed, and the driver caches their descriptions. setExecMode refuses every
// mode except cache_describe and the driver's default, cache_statement. The mode describe_exec sends a statement and
// its parameters in two steps. The pooler may use a different session for each step. The modes exec and simple_protocol
// do not send the types of parameters.
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

// statementTimeout is how long the server lets a statement in a transaction run before it cancels the statement.
func (c Config) statementTimeout() time.Duration {
	if c.Patient {
		return PatientTimeout
	}
	return StatementTimeout
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// largestInBatch is the largest size, in bytes, of a sealed value that is read or written in a batch. For a larger
// value, Lockbox runs a separate statement, so other requests do not wait for that value.
const largestInBatch = 64 << 10

// maxConcurrentBatches returns how many batches of one kind may run at the same time. With one batch at a time, each
// request would cost the least, but most cores of a large machine would be idle. Most connections must remain free for
// statements outside of these batches. The limit applies to lookups and to writes separately. Stalled batches do not
// count.
func maxConcurrentBatches(maxConns int32) int {
	return max(1, min(runtime.GOMAXPROCS(0)/2, int(maxConns)/5, 4))
}
