package boot

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/lockbox-go/lockbox/adapters/kdf"
	"github.com/lockbox-go/lockbox/adapters/postgres"
)

// registerMetrics adds the metrics of the process, the database and the key derivations. The HTTP API registers its own
// metrics. No label contains user input.
func registerMetrics(registry *prometheus.Registry, core *core) {
	build := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "lockbox_build_info",
		Help:        "Always 1. The labels are the versions of Lockbox and of Go.",
		ConstLabels: prometheus.Labels{"version": Version(), "go": runtime.Version()},
	}, func() float64 { return 1 })
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		build,
		statsCollector{store: core.store, derivations: core.derivations},
		serverKeyCollector{core.keyring.Status},
	)
	core.sweeps.register(registry)
	if core.stream != nil {
		registry.MustRegister(streamCollector{core.stream})
	}
}

// statsCollector reads the counts of the database and of the key derivations once per scrape.
type statsCollector struct {
	store       *postgres.Store
	derivations *kdf.Pool
}

// auditEvents is not in the table of metrics, because it has two labels: the action and the outcome.
var auditEvents = prometheus.NewDesc("lockbox_audit_events_total",
	"Number of audit events that this server committed, by action and outcome. "+
		"An event that stands for several refusals counts once for each of them. "+
		"A sign-in has the action session.create.",
	[]string{"action", "outcome"}, nil)

// Describe implements prometheus.Collector.
func (c statsCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- auditEvents
	for _, m := range metrics {
		descriptions <- m.description
	}
}

// Collect implements prometheus.Collector.
func (c statsCollector) Collect(samples chan<- prometheus.Metric) {
	read := stats{db: c.store.Stats(), kdf: c.derivations.Stats()}
	for kind, count := range read.db.EventKinds {
		samples <- prometheus.MustNewConstMetric(auditEvents, counter, float64(count), kind.Action.String(),
			kind.Outcome.String())
	}
	for _, m := range metrics {
		for label, value := range m.values(read) {
			var labels []string
			if label != "" {
				labels = []string{label}
			}
			samples <- prometheus.MustNewConstMetric(m.description, m.kind, value, labels...)
		}
	}
}

// stats holds the counts that one scrape reports.
type stats struct {
	db  postgres.Stats
	kdf kdf.Stats
}

// metric is one metric with at most one label.
type metric struct {
	description *prometheus.Desc
	kind        prometheus.ValueType
	values      func(stats) values
}

// values holds the samples of a metric. The key of a sample is the value of its label, or "" if the metric has no
// label.
type values map[string]float64

const (
	gauge   = prometheus.GaugeValue
	counter = prometheus.CounterValue
)

// newMetric describes a metric. label is "" for a metric without a label.
func newMetric(kind prometheus.ValueType, name, label, help string, read func(stats) values) metric {
	var labels []string
	if label != "" {
		labels = []string{label}
	}
	return metric{description: prometheus.NewDesc(name, help, labels, nil), kind: kind, values: read}
}

// one returns the samples of a metric without a label: one sample, with the given value.
func one[N int | int64 | uint64 | float64](value N) values { return values{"": float64(value)} }

// writable returns 1 if the last probe succeeded, and 0 if it failed or if there was no probe yet.
func writable(health postgres.Health) float64 {
	if health.At.IsZero() || health.Err != nil {
		return 0
	}
	return 1
}

// byKind returns one sample for lookups of entries and one for writes of entries.
func byKind[N int | int64](lookups, writes N) values {
	return values{"lookup": float64(lookups), "write": float64(writes)}
}

// byPurpose returns one sample for key derivations of passwords and one for those of entries.
func byPurpose[N int | uint64](passwords, entries N) values {
	return values{"password": float64(passwords), "entry": float64(entries)}
}

var metrics = []metric{
	newMetric(gauge, "lockbox_db_connections", "state", "Number of open database connections, by state.",
		func(s stats) values {
			return values{"used": float64(s.db.Pool.Used), "idle": float64(s.db.Pool.Idle)}
		}),
	newMetric(gauge, "lockbox_db_connections_max", "", "Maximum number of database connections of this server.",
		func(s stats) values { return one(s.db.Pool.Max) }),
	newMetric(counter, "lockbox_db_connections_opened_total", "",
		"Number of database connections that this server opened.",
		func(s stats) values { return one(s.db.Pool.Opened) }),
	newMetric(counter, "lockbox_db_connection_waits_total", "",
		"Number of times that a query or transaction waited for a free database connection.",
		func(s stats) values { return one(s.db.Pool.Waits) }),
	newMetric(counter, "lockbox_db_connection_wait_seconds_total", "",
		"Total time that queries and transactions waited for a free database connection, in seconds.",
		func(s stats) values { return one(s.db.Pool.WaitTime.Seconds()) }),

	newMetric(counter, "lockbox_db_connections_replaced_total", "",
		"Number of times that this server replaced its idle database connections because a connection did not answer.",
		func(s stats) values { return one(s.db.Pool.Replaced) }),
	newMetric(gauge, "lockbox_db_writable", "",
		"1 if the database committed the last probe of this server, otherwise 0. A probe runs every 5 seconds.",
		func(s stats) values { return values{"": writable(s.db.Health)} }),
	newMetric(gauge, "lockbox_db_clock_skew_seconds", "",
		"Time by which the clock of the database is ahead of the clock of this server, in seconds. "+
			"The value is negative if the clock of the database is behind.",
		func(s stats) values { return one(s.db.Health.ClockSkew.Seconds()) }),

	newMetric(gauge, "lockbox_db_batch_requests_waiting", "kind",
		"Number of requests that wait for the next batch, by kind (lookup or write of an entry).",
		func(s stats) values { return byKind(s.db.Lookups.Waiting, s.db.Writes.Waiting) }),
	newMetric(counter, "lockbox_db_batch_requests_total", "kind",
		"Number of requests that were completed in batches, by kind (lookup or write of an entry).",
		func(s stats) values { return byKind(s.db.Lookups.Done, s.db.Writes.Done) }),
	newMetric(counter, "lockbox_db_batches_total", "kind",
		"Number of batches that were completed, by kind (lookup or write of an entry).",
		func(s stats) values { return byKind(s.db.Lookups.Batches, s.db.Writes.Batches) }),
	newMetric(counter, "lockbox_db_batch_requests_refused_total", "kind",
		"Number of requests that were refused because the batch queue was full, by kind (lookup or write of an entry).",
		func(s stats) values { return byKind(s.db.Lookups.Refused, s.db.Writes.Refused) }),
	newMetric(counter, "lockbox_db_write_fallbacks_total", "",
		"Number of entry writes that a batch did not store and that this server then repeated under locks.",
		func(s stats) values { return one(s.db.WriteFallbacks) }),

	newMetric(gauge, "lockbox_events_waiting", "", "Number of audit events that wait to be committed.",
		func(s stats) values { return one(s.db.Events.Waiting) }),
	newMetric(counter, "lockbox_events_written_total", "",
		"Number of audit events of reads and refusals that were committed.",
		func(s stats) values { return one(s.db.Events.Done) }),
	newMetric(counter, "lockbox_events_commits_total", "",
		"Number of commits that stored audit events of reads and refusals.",
		func(s stats) values { return one(s.db.Events.Batches) }),
	newMetric(counter, "lockbox_events_refused_total", "",
		"Number of audit events that were refused because the event queue was full.",
		func(s stats) values { return one(s.db.Events.Refused) }),

	newMetric(gauge, "lockbox_events_log_bytes", "",
		"Size of the audit log in the database, including its indexes, in bytes. It is measured once a minute.",
		func(s stats) values { return one(s.db.EventLogBytes) }),
	newMetric(counter, "lockbox_events_deleted_total", "",
		"Number of audit events that this server deleted because of their age.",
		func(s stats) values { return one(s.db.EventsDeleted) }),

	newMetric(gauge, "lockbox_kdf_running", "", "Number of key derivations (Argon2id) that are running.",
		func(s stats) values { return one(s.kdf.Running) }),
	newMetric(gauge, "lockbox_kdf_waiting", "for", "Number of key derivations (Argon2id) that wait to run, by purpose.",
		func(s stats) values { return byPurpose(s.kdf.Passwords.Waiting, s.kdf.Entries.Waiting) }),
	newMetric(counter, "lockbox_kdf_done_total", "for",
		"Number of key derivations (Argon2id) that were completed, by purpose.",
		func(s stats) values { return byPurpose(s.kdf.Passwords.Done, s.kdf.Entries.Done) }),
	newMetric(counter, "lockbox_kdf_refused_total", "for",
		"Number of refused key derivations (Argon2id), by purpose. "+
			"A derivation is refused if the queue is full, or if its request ends before it can start.",
		func(s stats) values { return byPurpose(s.kdf.Passwords.Refused, s.kdf.Entries.Refused) }),
}
