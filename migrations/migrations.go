// Package migrations holds the steps of the database schema, oldest first, embedded into the program.
//
// A step that has landed is never edited: the next change is a new pair of files. The first three digits of a number
// are the release line. Within a line, steps only add, so that a program accepts a newer schema of its own line; a
// step that takes something away begins the next line.
package migrations

import "embed"

// Files are the steps, NNNNNN_name.up.sql and NNNNNN_name.down.sql.
//
//go:embed *.sql
var Files embed.FS
