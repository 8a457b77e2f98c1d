package boot

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockbox-go/lockbox/adapters/postgres"
	"github.com/lockbox-go/lockbox/ports"
)

const (
	sweepInterval = time.Minute
	// sweepBatch is how many rows one statement deletes. A small batch holds its locks briefly.
	sweepBatch = 500
	// sweepEventBatch is how many audit events one statement deletes. It is larger than sweepBatch, because no other
	// statement locks an event.
	sweepEventBatch = 2000
	// sweepTime limits how long one sweep deletes rows of one kind. Without this limit, a sweep might never reach the
	// rows of the next kind. The next sweep deletes the remaining rows.
	sweepTime = 20 * time.Second
	// sweepEntryBatch is how many entries one statement deletes. It is smaller than sweepBatch, because an entry may
	// have many large versions.
	sweepEntryBatch = 20
	// expiredKeyRetention is how long an expired API key is still listed. The list shows the user why the key stopped
	// working.
	expiredKeyRetention = 30 * 24 * time.Hour
	// oldKeyringRetention is the age from which old keyrings of a box are deleted. The newest keyrings of a box are
	// kept regardless of their age; see domain.KeptKeyrings.
	oldKeyringRetention = 30 * 24 * time.Hour
	// abandonedStream is how long queued events are kept after the last server with the setting AUDIT_STREAM has
	// stopped. This time covers a weekend on which no server runs.
	abandonedStream = 7 * 24 * time.Hour
)

// sweepTask deletes one kind of rows.
type sweepTask struct {
	rows   string // the kind of rows, in the log and as a label of metrics
	before time.Time
	batch  int
	remove func(context.Context, time.Time, int) (int, error)
}

// sweepTasks returns the tasks of a sweep that begins now.
func sweepTasks(config Config, janitor ports.Janitor, now time.Time) []sweepTask {
	tasks := []sweepTask{
		{"sessions", now, sweepBatch, janitor.DeleteEndedSessions},
		{"tokens", now, sweepBatch, janitor.DeleteEndedFamilies},
		{"attempts", now, sweepBatch, janitor.DeleteOldAttempts},
		{"addresses", now, sweepBatch, janitor.DeleteKnownAddresses},
		{"api_keys", now.Add(-expiredKeyRetention), sweepBatch, janitor.DeleteEndedAPIKeys},
		{"invitations", now, sweepBatch, janitor.DeleteEndedInvitations},
		{"entries", now.Add(-config.DeletedEntryRetention), sweepEntryBatch, janitor.DeleteRemovedEntries},
		{"keyrings", now.Add(-oldKeyringRetention), sweepBatch, janitor.DeleteOldKeyrings},
		{"event_queue", now.Add(-abandonedStream), sweepEventBatch, janitor.DeleteAbandonedQueue},
	}
	if config.EventRetention > 0 { // 0 keeps them permanently
		tasks = append(tasks, sweepTask{"events", now.Add(-config.EventRetention), sweepEventBatch,
			janitor.DeleteOldEvents})
	}
	return tasks
}

// sweep deletes expired rows every minute until ctx ends. Every server of an installation does this. If two servers
// find the same row, only one of them deletes it.
func (a *App) sweep(ctx context.Context, core *core) {
	a.measureEventLog(ctx, core.store)
	every(ctx, sweepInterval, func() {
		succeeded := true
		for _, task := range sweepTasks(a.config, core.store, time.Now().UTC()) {
			succeeded = a.sweepRows(ctx, task, core.sweeps) && succeeded
		}
		if succeeded {
			core.sweeps.lastSuccess.SetToCurrentTime()
		}
		a.measureEventLog(ctx, core.store)
	})
}

// measureEventLog updates the metric lockbox_events_log_bytes. The sweep measures this size in advance, because a
// request for the metrics must not use the database.
func (a *App) measureEventLog(ctx context.Context, janitor ports.Janitor) {
	if _, err := janitor.EventLogSize(ctx); err != nil && ctx.Err() == nil {
		a.log.Warn("cannot measure the audit log; the metric lockbox_events_log_bytes is out of date",
			slog.Any("error", err))
	}
}

// sweepRows runs a task in batches until no rows are left or sweepTime has passed. If an error occurs, sweepRows logs
// it and returns false. The next sweep tries again.
func (a *App) sweepRows(ctx context.Context, task sweepTask, metrics *sweepMetrics) (succeeded bool) {
	started := time.Now()
	for total := 0; ; {
		removed, err := task.remove(ctx, task.before, task.batch)
		if err != nil {
			if ctx.Err() == nil {
				metrics.failures.WithLabelValues(task.rows).Inc()
				a.log.Warn("deleting expired rows failed; the next sweep tries again", slog.String("rows", task.rows),
					slog.Any("error", err))
			}
			return false
		}
		total += removed
		metrics.deleted.WithLabelValues(task.rows).Add(float64(removed))
		// After a full batch, more rows may remain.
		if removed < task.batch || time.Since(started) > sweepTime {
			if total > 0 {
				a.log.Info("deleted expired rows", slog.String("rows", task.rows), slog.Int("count", total))
			}
			return true
		}
	}
}

// sweepMetrics are the metrics of sweeps.
type sweepMetrics struct {
	lastSuccess       prometheus.Gauge
	deleted, failures *prometheus.CounterVec
}

// newSweepMetrics returns the metrics with a sample for each kind of rows. The metric lastSuccess begins with the
// current time. If it began with zero, an alert on its age would fire when the server starts.
func newSweepMetrics(config Config) *sweepMetrics {
	m := &sweepMetrics{
		lastSuccess: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "lockbox_sweep_last_success_timestamp_seconds",
			Help: "Time of the last sweep without an error, in seconds since 1970. " +
				"Before the first such sweep, the value is the time when the server started.",
		}),
		deleted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockbox_sweep_deleted_total",
			Help: "Number of expired rows that the sweeps of this server deleted, by kind of rows.",
		}, []string{"rows"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "lockbox_sweep_failures_total",
			Help: "Number of errors in sweeps of this server, by kind of rows.",
		}, []string{"rows"}),
	}
	m.lastSuccess.SetToCurrentTime()
	for _, task := range sweepTasks(config, (*postgres.Store)(nil), time.Time{}) {
		m.deleted.WithLabelValues(task.rows)
		m.failures.WithLabelValues(task.rows)
	}
	return m
}

// register adds the metrics to a registry.
func (m *sweepMetrics) register(registry *prometheus.Registry) {
	registry.MustRegister(m.lastSuccess, m.deleted, m.failures)
}
