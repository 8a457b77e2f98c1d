// Package observability tests what operators watch Lockbox with: the metrics that the documentation names, the alert
// rules and the dashboard. All of them are compared with the metrics of a running server.
package observability
