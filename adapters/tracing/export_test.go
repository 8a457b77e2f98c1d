package tracing

// NewCollector is newCollector for tests of a single request, which do not wait for a batch.
var NewCollector = newCollector
