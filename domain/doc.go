// Package domain holds what Lockbox is about: users, their API keys and sessions, boxes, the users of a box, entries
// and the events that record what was done with them.
//
// Every rule that can be decided without looking anything up is decided here. The package does no I/O, reads no
// clock and imports the standard library alone: time and identifiers come in as arguments, and what comes out is
// either a value or a [*Error] that says which [Kind] of refusal it is.
package domain
