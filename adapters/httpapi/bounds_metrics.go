package httpapi

import "github.com/prometheus/client_golang/prometheus"

// boundsCollector reports the use of each bound. It reads the counts once per scrape.
type boundsCollector struct{ api *API }

var (
	boundUsed = prometheus.NewDesc("lockbox_http_bound_used",
		"Current use of each bound that limits the connections, requests or memory of clients. "+
			"The value is in bytes if the name of the bound ends in _bytes; otherwise it is a count. "+
			"For a bound per user or address, the metric shows the user or address with the highest use.",
		[]string{"bound"}, nil)
	boundLimit = prometheus.NewDesc("lockbox_http_bound_limit",
		"Maximum value of lockbox_http_bound_used for each bound.", []string{"bound"}, nil)
	boundRefused = prometheus.NewDesc("lockbox_http_bound_refused_total",
		"Number of requests and connections that were refused or closed because a bound was reached.",
		[]string{"bound"}, nil)
)

// Describe implements prometheus.Collector.
func (c boundsCollector) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- boundUsed
	descriptions <- boundLimit
	descriptions <- boundRefused
}

// Collect implements prometheus.Collector.
func (c boundsCollector) Collect(samples chan<- prometheus.Metric) {
	send := func(bound string, used, limit int64, refused uint64) {
		samples <- prometheus.MustNewConstMetric(boundUsed, prometheus.GaugeValue, float64(used), bound)
		samples <- prometheus.MustNewConstMetric(boundLimit, prometheus.GaugeValue, float64(limit), bound)
		samples <- prometheus.MustNewConstMetric(boundRefused, prometheus.CounterValue, float64(refused), bound)
	}
	open := c.api.connections
	send("connections", int64(open.count()), int64(open.maxOpen), open.evicted.Load()+open.refused.Load())
	for _, each := range []struct {
		total, perKey string
		shares        *shares
	}{
		{"requests", "requests_per_user", c.api.admission.users},
		{"unverified_requests", "unverified_requests_per_address", c.api.admission.strangers},
		{"body_bytes", "user_body_bytes", c.api.admission.bodies},
		{"answer_bytes", "user_answer_bytes", c.api.admission.answers},
	} {
		stats := each.shares.stats()
		send(each.total, stats.used, each.shares.total, stats.refusedTotal)
		send(each.perKey, stats.highestKey, each.shares.perKey, stats.refusedKey)
	}
}
