package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// backupCommand groups the commands about backups of the database.
func backupCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "backup",
		Short: "Back up the database, and prove that a backup can be restored",
		Long: `Back up the database with pg_dump, and prove that a backup can be restored. A backup is a dump and a
manifest, which describes the dump and is authenticated with LOCKBOX_SECRET_KEY. Keep the secret in another place.`,
	}
	command.AddCommand(backupCreateCommand(), backupVerifyCommand(), backupRestoreCheckCommand())
	return command
}

// backupCreateCommand writes a backup of the database into a folder.
func backupCreateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "create [FOLDER]",
		Short: "Write a backup of the database into a folder, while servers keep running",
		Long: `Write a dump of the database and its manifest into FOLDER, or into LOCKBOX_BACKUP_DIR. Both files have
mode 0600. The manifest has the schema version, the number of rows and a checksum of each table, the ids of the server
keys, and the SHA-256 hash of the dump. Servers may keep running: the dump and the manifest describe the same
moment. The command needs pg_dump of the server's version or newer, and a direct connection to PostgreSQL.`,
		Example: "  lockbox backup create /var/backups/lockbox",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			protectMemory() // before the secret is read
			config, _, err := settings()
			if err != nil {
				return err
			}
			report, err := boot.CreateBackup(command.Context(), config, optional(args))
			if err != nil {
				return err
			}
			printBackup(command.OutOrStdout(), report)
			return nil
		},
	}
}

// backupVerifyCommand reads the URL of the scratch database from a file, because the URL contains a password, and other
// users can see the arguments of a program.
func backupVerifyCommand() *cobra.Command {
	var scratchFile string
	command := &cobra.Command{
		Use:   "verify [MANIFEST]",
		Short: "Restore a backup into a scratch database and check every row, without any encryption key",
		Long: `Restore the backup of MANIFEST, or the newest backup in LOCKBOX_BACKUP_DIR, into a scratch database, and
check that the dump is unchanged, that every table has the rows of the manifest, that LOCKBOX_SECRET_KEY opens the
server keys, and that these keys open the server's layer of every entry, password, TOTP secret and locked identity.
After a success, the command writes the time of the verification into the manifest. It never opens
LOCKBOX_DATABASE_URL.

The command restores into a private PostgreSQL server, which it removes afterwards. With --scratch-url-file, it restores
into the empty database whose URL is in that file, and empties this database again afterwards.`,
		Example: "  lockbox backup verify\n" +
			"  lockbox backup verify /var/backups/lockbox/lockbox-20260102T030405Z.manifest.json\n" +
			"  lockbox backup verify --scratch-url-file /etc/lockbox/scratch-url",
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			protectMemory()
			config, _, err := settings()
			if err != nil {
				return err
			}
			var scratch string
			if scratchFile != "" {
				if scratch, err = boot.ReadScratchURL(scratchFile); err != nil {
					return err
				}
			}
			done, err := boot.VerifyBackup(command.Context(), config, optional(args), scratch)
			if err != nil {
				return err
			}
			printVerified(command.OutOrStdout(), done)
			return nil
		},
	}
	command.Flags().StringVar(&scratchFile, "scratch-url-file", "",
		"file that contains the URL of an empty database, into which the backup is restored")
	return command
}

// backupRestoreCheckCommand compares a restored database with its manifest. Run it before a server starts, because a
// server changes rows.
func backupRestoreCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore-check MANIFEST",
		Short: "Compare a restored database with the manifest of its backup",
		Long: `Compare the database of LOCKBOX_DATABASE_URL with MANIFEST: the schema version, the server keys, and the
rows of every table. Also check that LOCKBOX_SECRET_KEY opens the server keys. Run the command after pg_restore and
before a server starts, because a server changes rows. The command writes nothing.`,
		Example: "  lockbox backup restore-check /var/backups/lockbox/lockbox-20260102T030405Z.manifest.json",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			protectMemory()
			config, _, err := settings()
			if err != nil {
				return err
			}
			report, err := boot.CheckRestored(command.Context(), config, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(command.OutOrStdout(), "the database is equal to the backup from %s: %d rows, schema %06d\n",
				report.CreatedAt.Format(time.RFC3339), report.Rows, report.SchemaVersion)
			return nil
		},
	}
}

// optional returns the argument of a command that takes at most one argument, or "" if the argument is missing.
func optional(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

// printBackup prints the path of the dump on the first line, and the path of the manifest on the second line. Each of
// these lines begins with a name, so that scripts can find the path.
func printBackup(out io.Writer, report boot.BackupReport) {
	fmt.Fprintf(out, "dump: %s\nmanifest: %s\n%d bytes, %d rows, schema %06d\n", report.Dump, report.Manifest,
		report.Bytes, report.Rows, report.SchemaVersion)
}

// printVerified prints the time of the backup and the numbers of checked rows. Only this time reveals that an attacker
// replaced the backup with an older one, because an older backup passes all checks.
func printVerified(out io.Writer, done boot.Verification) {
	fmt.Fprintf(out, "%s can be restored: it was made at %s and has %d rows and schema version %06d\n"+
		"decrypted with the server keys: %d entry versions, %d passwords, %d TOTP secrets, %d locked identities\n",
		done.Manifest, done.CreatedAt.Format(time.RFC3339), done.Rows, done.SchemaVersion, done.Opened.Entries,
		done.Opened.Passwords, done.Opened.TOTPSecrets, done.Opened.LockedIdentities)
}
