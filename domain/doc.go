// Package domain holds the aggregates and rules of Lockbox: users with their API keys and sessions, boxes with their
// members and entries, droplets, and the events of the audit log.
//
// Every rule that needs no lookup is decided here. The package does no I/O, reads no clock and imports only the
// standard library: times and identifiers are arguments. A rule returns a value, or an [*Error] of a [Kind].
package domain
