package boot

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/lockbox-go/lockbox/adapters/postgres"
)

// registerMetrics adds what the parts know of themselves. No label holds anything that a user chose.
func registerMetrics(registry *prometheus.Registry, core *core, events *postgres.EventWriter) {
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, labels prometheus.Labels, value func() float64) {
		registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help, ConstLabels: labels},
			value))
	}
	counter := func(name, help string, labels prometheus.Labels, value func() float64) {
		registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help,
			ConstLabels: labels}, value))
	}
	gauge("lockbox_build_info", "Always 1; the labels say what runs.",
		prometheus.Labels{"version": Version(), "go": runtime.Version()}, func() float64 { return 1 })

	pool := core.store.Stat
	gauge("lockbox_db_connections", "Connections of the pool.", prometheus.Labels{"state": "used"},
		func() float64 { return float64(pool().AcquiredConns()) })
	gauge("lockbox_db_connections", "Connections of the pool.", prometheus.Labels{"state": "idle"},
		func() float64 { return float64(pool().IdleConns()) })
	gauge("lockbox_db_connections_max", "Connections that the pool may open.", nil,
		func() float64 { return float64(pool().MaxConns()) })
	counter("lockbox_db_waits_total", "Times that a connection had to be waited for.", nil,
		func() float64 { return float64(pool().EmptyAcquireCount()) })
	counter("lockbox_db_wait_seconds_total", "Time that connections were waited for.", nil,
		func() float64 { return pool().EmptyAcquireWaitTime().Seconds() })

	kdf := core.derivations.Stats
	gauge("lockbox_kdf_running", "Derivations at work.", nil, func() float64 { return float64(kdf().Running) })
	gauge("lockbox_kdf_waiting", "Derivations that wait for their turn.", prometheus.Labels{"for": "password"},
		func() float64 { return float64(kdf().Passwords.Waiting) })
	gauge("lockbox_kdf_waiting", "Derivations that wait for their turn.", prometheus.Labels{"for": "entry"},
		func() float64 { return float64(kdf().Entries.Waiting) })
	counter("lockbox_kdf_done_total", "Derivations done.", prometheus.Labels{"for": "password"},
		func() float64 { return float64(kdf().Passwords.Done) })
	counter("lockbox_kdf_done_total", "Derivations done.", prometheus.Labels{"for": "entry"},
		func() float64 { return float64(kdf().Entries.Done) })
	counter("lockbox_kdf_refused_total", "Derivations refused because too many waited, or whose request ended first.",
		prometheus.Labels{"for": "password"}, func() float64 { return float64(kdf().Passwords.Refused) })
	counter("lockbox_kdf_refused_total", "Derivations refused because too many waited, or whose request ended first.",
		prometheus.Labels{"for": "entry"}, func() float64 { return float64(kdf().Entries.Refused) })

	for what, stats := range map[string]func() postgres.GathererStats{"facts": core.store.FactsStats,
		"replacements": core.store.ReplacementStats} {
		labels := prometheus.Labels{"what": what}
		gauge("lockbox_db_batched_waiting", "Requests that wait for their batch.", labels,
			func() float64 { return float64(stats().Waiting) })
		counter("lockbox_db_batched_requests_total", "Requests carried out, alone or in a batch.", labels,
			func() float64 { return float64(stats().Done) })
		counter("lockbox_db_batched_batches_total", "Batches that they were carried out in.", labels,
			func() float64 { return float64(stats().Batches) })
		counter("lockbox_db_batched_refused_total", "Requests refused because too many waited.", labels,
			func() float64 { return float64(stats().Refused) })
	}
	counter("lockbox_db_replacements_passed_over_total", "Replacements that had to be decided anew under the lock.",
		nil, func() float64 { return float64(core.store.ReplacementsPassedOver()) })

	gauge("lockbox_events_waiting", "Events that wait to be committed.", nil,
		func() float64 { return float64(events.Stats().Waiting) })
	counter("lockbox_events_written_total", "Events of reads and refusals that were committed.", nil,
		func() float64 { return float64(events.Stats().Done) })
	counter("lockbox_events_commits_total", "Commits that they took together.", nil,
		func() float64 { return float64(events.Stats().Batches) })
	counter("lockbox_events_refused_total", "Events refused because too many waited.", nil,
		func() float64 { return float64(events.Stats().Refused) })
}
