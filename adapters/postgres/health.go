package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockbox-go/lockbox/adapters/postgres/sqlstate"
)

const (
	// ProbeInterval is how often a server calls Probe.
	ProbeInterval = 5 * time.Second
	// MaxClockSkew is how far the clocks of Lockbox and of the database may differ before Probe logs a warning.
	MaxClockSkew = 30 * time.Second

	// probeTimeout bounds one probe. A commit that takes longer counts as a failure.
	probeTimeout = 2 * time.Second
	// probePause is the shortest time between a failed probe and the next probe that CheckWritable runs. CheckWritable
	// also serves requests without a credential. Without this pause, any client could therefore cause an unlimited
	// number of probes.
	probePause = time.Second
	// trialRows is the number of rows that a trial write inserts. Each row has trialBytes bytes. Together, the rows
	// need more than one page in the table and in its index. The write therefore fails if the disk is full. PostgreSQL
	// accepts at most 2704 bytes in a row of an index, so trialBytes must be smaller.
	trialRows, trialBytes = 16, 2000
)

// Health is the result of the last probe of the database.
type Health struct {
	// At is the time at which the probe ended, or zero before the first probe.
	At time.Time
	// Err is nil if the probe was committed.
	Err error
	// ClockSkew is how far the clock of the database is ahead of the clock of Lockbox. It is negative if the database's
	// clock is behind. The clocks differ by at least this amount. The real difference may be larger by up to the time
	// of one round trip.
	ClockSkew time.Duration
}

// health holds the last probe. It is safe for concurrent use.
type health struct {
	probing sync.Mutex // held during a probe
	result  atomic.Pointer[Health]
	// withoutMessages is true if the server has refused probeSQL. Probes then use a trial write instead.
	withoutMessages atomic.Bool
}

// last returns the result of the last probe, or the zero Health before the first one.
func (h *health) last() Health {
	if result := h.result.Load(); result != nil {
		return *result
	}
	return Health{}
}

// Probe commits a small write within two seconds and measures the skew of the clocks. It fails if the database does not
// answer or is read-only, or if the disk was full at an earlier write and is still full. It also fails if the database
// requires a standby to confirm the commit, and the standby does not confirm it. After a failure, Probe replaces the
// idle connections, because they may lead to a server that is no longer the primary. The error is of kind Unavailable.
func (s *Store) Probe(ctx context.Context) error {
	s.health.probing.Lock()
	defer s.health.probing.Unlock()
	return s.probe(ctx)
}

// probe does the work of Probe. The caller must hold health.probing.
func (s *Store) probe(caller context.Context) error {
	ctx, cancel := context.WithTimeout(caller, probeTimeout)
	defer cancel()
	before := s.health.last()
	var reached atomic.Bool
	skew, err := within(ctx, func() (time.Duration, error) { return s.commitProbe(ctx, &reached) })
	if caller.Err() != nil { // the caller has given up, so err does not mean that the database failed
		return err
	}
	if err != nil {
		skew = before.ClockSkew
		if reached.Load() {
			s.pool.connector.discard()
		}
	}
	now := Health{At: time.Now(), Err: err, ClockSkew: skew}
	s.health.result.Store(&now)
	logChange(s.pool.connector.log, before, now)
	return err
}

// logChange logs when the database stops or resumes accepting writes. It also logs when the difference of the clocks
// rises above MaxClockSkew, or falls below it again.
func logChange(log *slog.Logger, before, now Health) {
	switch {
	case now.Err != nil && before.Err == nil:
		log.Warn("the database accepts no writes", slog.Any("error", now.Err))
	case now.Err == nil && before.Err != nil:
		log.Info("the database accepts writes again")
	}
	skewed := now.ClockSkew.Abs() > MaxClockSkew
	if skewed == (before.ClockSkew.Abs() > MaxClockSkew) {
		return
	}
	if skewed {
		log.Warn("the clocks of this server and of the database differ by more than 30 seconds: "+
			"synchronise both with NTP", slog.Duration("database_ahead", now.ClockSkew))
		return
	}
	log.Info("the clocks of this server and of the database agree again")
}

// errReadOnly means that transactions of the database are read-only by default.
var errReadOnly = errors.New("the database is read-only")

// probeSQL writes only to the write-ahead log. It leaves no row behind. Its commit waits for the disk and for
// synchronous standbys, as every commit does.
const probeSQL = `SELECT current_setting('transaction_read_only') = 'on', clock_timestamp(),
	pg_logical_emit_message(true, 'lockbox', ''::text) IS NOT NULL`

// commitProbe runs the statements of a probe in one transaction and one round trip, and returns the skew of the clocks.
// It sets reached to true as soon as it has a connection of the pool. If it gets no connection, because all are in use,
// reached stays false. The caller then does not replace the idle connections.
func (s *Store) commitProbe(ctx context.Context, reached *atomic.Bool) (skew time.Duration, err error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, translate(err)
	}
	defer conn.Release()
	reached.Store(true)
	diskWasFull := s.pool.connector.diskFull.Load()
	var batch pgx.Batch
	if diskWasFull || s.health.withoutMessages.Load() {
		queueTrial(&batch, diskWasFull)
	}
	var readOnly, written bool
	var there time.Time
	sql := probeSQL
	if s.health.withoutMessages.Load() {
		sql = `SELECT current_setting('transaction_read_only') = 'on', clock_timestamp(), true`
	}
	batch.Queue(sql).QueryRow(func(row pgx.Row) error { return row.Scan(&readOnly, &there, &written) })
	notReplicated := watchReplication(conn)
	sent := time.Now()
	err = conn.SendBatch(ctx, &batch).Close()
	skew = clockSkew(sent, there, time.Now())
	switch code := sqlstate.Of(err); {
	case code == sqlstate.InsufficientPrivilege || code == sqlstate.UndefinedFunction ||
		code == sqlstate.FeatureNotSupported:
		s.health.withoutMessages.Store(true) // the next probe uses a trial write
	case err == nil && readOnly:
		err = unavailable(errReadOnly)
	case err == nil && notReplicated():
		err = unavailable(errNotReplicated)
	case err == nil && diskWasFull:
		s.pool.connector.diskFull.Store(false)
	}
	return skew, translate(err)
}

// queueTrial adds two statements to the batch: an INSERT of rows, and a DELETE of the same rows. If large is true, the
// rows are so large that the table needs new pages.
func queueTrial(batch *pgx.Batch, large bool) {
	rows, size := 1, 32
	if large {
		rows, size = trialRows, trialBytes
	}
	keys := make([][]byte, rows)
	for i := range keys {
		keys[i] = make([]byte, size)
		_, _ = rand.Read(keys[i]) // never returns an error
	}
	batch.Queue(`INSERT INTO known_addresses (key, expires_at) SELECT key, $2 FROM unnest($1::bytea[]) key`,
		keys, time.Now())
	batch.Queue(`DELETE FROM known_addresses WHERE key = ANY ($1)`, keys)
}

// clockSkew returns how far the remote clock was ahead of the local clock. The argument "there" was read from the
// remote clock, at an unknown moment between sent and received.
func clockSkew(sent, there, received time.Time) time.Duration {
	switch {
	case there.After(received):
		return there.Sub(received)
	case there.Before(sent):
		return there.Sub(sent)
	}
	return 0
}

// CheckWritable returns nil if the database answers and accepts writes. After a recent successful probe it runs only
// one short statement; otherwise it runs a probe. The error is of kind Unavailable.
func (s *Store) CheckWritable(ctx context.Context) error {
	last := s.health.last()
	if last.Err != nil || time.Since(last.At) > 2*ProbeInterval || s.pool.connector.diskFull.Load() {
		return s.probeAgain(ctx)
	}
	readOnly, err := within(ctx, func() (setting string, err error) {
		err = s.pool.QueryRow(ctx, `SHOW transaction_read_only`).Scan(&setting)
		return setting, translate(err)
	})
	if err == nil && readOnly == "on" {
		return unavailable(errReadOnly)
	}
	return err
}

// probeAgain runs a probe. If a probe failed within the last second, it returns the error of that probe instead.
func (s *Store) probeAgain(ctx context.Context) error {
	s.health.probing.Lock()
	defer s.health.probing.Unlock()
	if last := s.health.last(); !last.At.IsZero() && time.Since(last.At) < probePause && last.Err != nil {
		return last.Err
	}
	return s.probe(context.WithoutCancel(ctx)) // other callers use its result
}

// within calls the function in the argument work, and returns its result. If ctx ends first, the result is an error of
// kind Unavailable, and the function continues in the background. within does not wait for the function, because a
// statement on a dead connection may return up to two seconds after its context has ended.
func within[T any](ctx context.Context, work func() (T, error)) (T, error) {
	type outcome struct {
		result T
		err    error
	}
	done := make(chan outcome, 1) // buffered, so that work can end when nothing receives
	go func() {
		result, err := work()
		done <- outcome{result, err}
	}()
	select {
	case got := <-done:
		return got.result, got.err
	case <-ctx.Done():
		var none T
		return none, unavailable(ctx.Err())
	}
}
