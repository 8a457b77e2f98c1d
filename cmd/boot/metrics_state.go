package boot

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/lockbox-go/lockbox/adapters/auditstream"
	"github.com/lockbox-go/lockbox/ports"
)

// keyStatus is a function that returns the status of each server key. The program uses the method Status of
// sealing.Keyring.
type keyStatus func() []ports.KeyStatus

// serverKeyCollector reports when the newest server key of each purpose was created.
type serverKeyCollector struct{ status keyStatus }

var serverKeyCreated = prometheus.NewDesc("lockbox_server_key_created_timestamp_seconds",
	"Time at which the newest server key of a purpose was created, in seconds since 1970. "+
		"lockbox secret rekey replaces this key.", []string{"purpose"}, nil)

// Describe implements prometheus.Collector.
func (c serverKeyCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- serverKeyCreated
}

// Collect implements prometheus.Collector.
func (c serverKeyCollector) Collect(samples chan<- prometheus.Metric) {
	newest := make(map[string]float64)
	for _, key := range c.status() {
		newest[string(key.Purpose)] = max(newest[string(key.Purpose)], float64(key.CreatedAt.Unix()))
	}
	for purpose, created := range newest {
		samples <- prometheus.MustNewConstMetric(serverKeyCreated, gauge, created, purpose)
	}
}

// streamCollector reports the counts of the audit stream.
type streamCollector struct{ stream *auditstream.Stream }

var (
	streamEvents = prometheus.NewDesc("lockbox_audit_stream_events_total",
		"Number of audit events that this server delivered to the audit stream.", nil, nil)
	streamFailures = prometheus.NewDesc("lockbox_audit_stream_failures_total",
		"Number of times that this server failed to deliver audit events to the audit stream. "+
			"Failures to read or update the queue of the audit stream count, too.", nil, nil)
	streamLag = prometheus.NewDesc("lockbox_audit_stream_lag_seconds",
		"Age of the oldest audit event in the queue of the audit stream, in seconds; 0 if all events are delivered.",
		nil, nil)
	streamHolder = prometheus.NewDesc("lockbox_audit_stream_holder",
		"1 if this server delivers the audit stream, otherwise 0.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c streamCollector) Describe(descriptions chan<- *prometheus.Desc) {
	for _, each := range []*prometheus.Desc{streamEvents, streamFailures, streamLag, streamHolder} {
		descriptions <- each
	}
}

// Collect implements prometheus.Collector.
func (c streamCollector) Collect(samples chan<- prometheus.Metric) {
	stats := c.stream.Stats()
	holder := 0.0
	if stats.Holder {
		holder = 1
	}
	samples <- prometheus.MustNewConstMetric(streamEvents, counter, float64(stats.Delivered))
	samples <- prometheus.MustNewConstMetric(streamFailures, counter, float64(stats.Failures))
	samples <- prometheus.MustNewConstMetric(streamLag, gauge, stats.Age.Seconds())
	samples <- prometheus.MustNewConstMetric(streamHolder, gauge, holder)
}
