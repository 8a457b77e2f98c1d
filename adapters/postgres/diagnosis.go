package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Diagnosis describes the server of a database, for lockbox doctor.
type Diagnosis struct {
	// Major is the major version of PostgreSQL. Encoding is the encoding of the database.
	Major    int
	Encoding string
	// Skew is the time of the database's clock minus the time of this machine's clock. SkewError is the largest
	// possible error of Skew.
	Skew, SkewError time.Duration
	// Pooled means that a pooler is between this program and the database. In this case, the process ID of the
	// session differs from the ID that the connection received when it opened.
	Pooled bool
	// Standby means that the server is a standby. ReadOnly means that the database refuses writes.
	Standby, ReadOnly bool
	// WriteErr is the result of TryWrite. Diagnose does not set it.
	WriteErr error
	// Durable means that committed changes survive a crash of the machine: fsync and full_page_writes are on, and
	// synchronous_commit is not off.
	Durable bool
	// SyncNames is the parameter synchronous_standby_names. Standbys counts the connected standbys. SyncStandbys counts
	// the standbys for which a commit may wait. It is -1 if the role is not allowed to see this information.
	SyncNames              string
	Standbys, SyncStandbys int
	// SyncCommit is the value of the parameter synchronous_commit for the role in the URL.
	SyncCommit string
	// FreeConnections is the maximum number of connections of all ordinary roles together. Connections that are open
	// now are not subtracted from it.
	FreeConnections int
	// LogsParameters means that the log contains the parameters of statements.
	LogsParameters bool
}

// Diagnose reads the state of the server. It needs no table and no privilege.
func (i *Inspector) Diagnose(ctx context.Context) (Diagnosis, error) {
	var d Diagnosis
	var backend int
	err := i.conn.QueryRow(ctx, `SELECT current_setting('server_version_num')::int / 10000,
		current_setting('server_encoding'), pg_backend_pid(), pg_is_in_recovery(),
		current_setting('transaction_read_only')::bool,
		current_setting('fsync')::bool AND current_setting('full_page_writes')::bool
			AND current_setting('synchronous_commit') <> 'off',
		current_setting('synchronous_standby_names'), current_setting('synchronous_commit'),
		current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int`).Scan(
		&d.Major, &d.Encoding, &backend, &d.Standby, &d.ReadOnly, &d.Durable, &d.SyncNames, &d.SyncCommit,
		&d.FreeConnections)
	if err != nil {
		return d, err
	}
	d.Pooled = backend != int(i.conn.PgConn().PID())
	// A role that is not a member of pg_monitor sees the standbys that connected as other roles, but their sync_state
	// is NULL.
	err = i.conn.QueryRow(ctx, `SELECT count(*), CASE WHEN count(*) = count(sync_state)
		THEN count(*) FILTER (WHERE sync_state IN ('sync', 'quorum')) ELSE -1 END FROM pg_stat_replication`).Scan(
		&d.Standbys, &d.SyncStandbys)
	if err != nil {
		return d, err
	}
	if d.LogsParameters, err = logsParameters(ctx, i.conn); err != nil {
		return d, err
	}
	d.Skew, d.SkewError, err = i.skew(ctx)
	return d, err
}

// TryWrite writes rows that need new pages of the table, and deletes them in the same transaction. It writes nothing
// and returns nil if Lockbox's tables do not exist, or if the database is a standby or read-only. It takes at most two
// seconds, plus the time to connect. It uses a connection of its own, because a write that exceeds its deadline loses
// its connection.
func TryWrite(ctx context.Context, url string) error {
	inspector, err := Inspect(ctx, url)
	if err != nil {
		return err
	}
	defer inspector.Close()
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	var writable bool
	err = inspector.conn.QueryRow(ctx, `SELECT to_regclass('known_addresses') IS NOT NULL AND NOT pg_is_in_recovery()
		AND NOT current_setting('transaction_read_only')::bool`).Scan(&writable)
	if err != nil || !writable {
		return err
	}
	var batch pgx.Batch
	queueTrial(&batch, true)
	return translate(inspector.conn.SendBatch(ctx, &batch).Close())
}

// skewSamples is the number of times that the clock of the database is read. The sample with the shortest round trip
// has the smallest error.
const skewSamples = 3

// skew compares the clock of the database with the clock of this machine. The database reads its clock at an unknown
// moment between the request and the response. The possible error is therefore half of the round-trip time.
func (i *Inspector) skew(ctx context.Context) (skew, possibleError time.Duration, err error) {
	for sample := range skewSamples {
		var theirs time.Time
		sent := time.Now()
		if err := i.conn.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&theirs); err != nil {
			return 0, 0, err
		}
		half := time.Since(sent) / 2
		if sample == 0 || half < possibleError {
			skew, possibleError = theirs.Sub(sent.Add(half)), half
		}
	}
	return skew, possibleError, nil
}
