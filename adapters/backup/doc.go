// Package backup makes and restores backups of the database with pg_dump and pg_restore.
//
// A backup is two files in one folder: the dump, in the custom format of pg_dump, and a manifest, which describes the
// dump. Both have mode 0600. The manifest contains no secret, no name of a user, a box or an entry, and an
// authentication code under the server's secret. A dump is SQL that pg_restore runs, so it is restored only if the
// manifest is authentic and names the hash of the dump.
package backup
