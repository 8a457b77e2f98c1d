// Package backup makes and restores backups of the database with pg_dump and pg_restore.
//
// A backup consists of two files in one folder: the dump and the manifest. The dump has the custom format of pg_dump.
// The manifest describes the dump. Both have mode 0600. The manifest contains no secret and no name of a user, a box or
// an entry. It contains an authentication code that is computed with the server's secret. pg_restore runs the SQL in a
// dump. Before each restore, Lockbox therefore verifies the manifest's authentication code and then the hash of the
// dump.
package backup
