package tracing

// NewCollector makes newCollector available to tests. They use it to send a single request without waiting for a batch.
var NewCollector = newCollector
