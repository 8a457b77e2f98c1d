// Package migrations embeds the migrations of the database schema.
//
// The SQL of a released migration never changes: the next change is a new pair of files. The first
// three digits of a version are the release line. Within a line, migrations only add to the schema,
// so a program accepts a newer schema of its own line. A migration that removes something begins
// the next line.
package migrations

import "embed"

// Files contains the migrations, NNNNNN_name.up.sql and NNNNNN_name.down.sql.
//
//go:embed *.sql
var Files embed.FS
