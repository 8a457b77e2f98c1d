// Package migrations embeds the migrations of the database schema.
//
// The SQL of a released migration never changes: the next change is a new pair of files. The number of a migration has
// six digits. Its first three digits are the release line. All migrations of a release line, except the first, only add
// to the schema. A program therefore accepts a newer schema of its own release line. A migration that removes something
// begins a new release line.
package migrations

import "embed"

// Files contains the SQL files of the migrations. Each migration has two files: NNNNNN_name.up.sql and
// NNNNNN_name.down.sql.
//
//go:embed *.sql
var Files embed.FS
