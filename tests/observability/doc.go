// Package observability compares the documented metrics, the alert rules and the dashboard with the metrics of a
// running server.
package observability
