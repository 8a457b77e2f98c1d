// Package postgres stores everything in PostgreSQL, versions 14 to 18. It implements the storage interfaces of package
// ports. tests/storage is the suite that every implementation must pass.
//
// Each statement is in the method that runs it, or directly above it. Identifiers and times are made in Go. The
// database has no triggers or sequences, and the package uses no advisory locks or temporary tables. The code of this
// package therefore shows everything that a statement does.
//
// Three mechanisms span several files:
//
//   - Store.Do runs a unit of work in a transaction (unit_of_work.go) that needs few round trips
//     (transaction.go).
//   - Lookups of entries, conditional writes and audit events of concurrent requests share a
//     statement (entry_lookup.go, entry_write.go, event_writer.go). Package batch holds the queue.
//   - Errors of the server become errors of the domain in one place (errors.go).
//
// Package migrate upgrades the schema.
package postgres
