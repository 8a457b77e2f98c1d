package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// migrateCommand groups the commands that change the schema. A server upgrades the schema automatically at its start,
// so these commands are only for downgrades and for upgrades at another time.
func migrateCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "migrate",
		Short: "Upgrade or downgrade the schema of the database without starting the server",
	}
	var steps int
	var to uint
	down := &cobra.Command{
		Use:   "down",
		Short: "Revert the newest migrations; the data that they added is lost",
		Long: `Revert the newest migrations, before you start an older program. The data that they added is lost: make
a backup and stop all servers first. To get the version for --to, run lockbox migrate version with the older program.`,
		Args:    cobra.NoArgs,
		Example: "  lockbox migrate down --to 8\n  lockbox migrate down --steps 2",
		RunE: withMigrator(func(command *cobra.Command, migrator *boot.Migrator) error {
			if command.Flags().Changed("to") {
				return migrator.DownTo(command.Context(), to)
			}
			return migrator.Down(command.Context(), steps)
		}),
	}
	down.Flags().IntVar(&steps, "steps", 1, "how many migrations to revert")
	down.Flags().UintVar(&to, "to", 0, "a schema version, such as 8: revert all newer migrations; 0 deletes all tables")
	down.MarkFlagsMutuallyExclusive("steps", "to")
	command.AddCommand(
		&cobra.Command{
			Use:     "up",
			Short:   "Apply all missing migrations",
			Args:    cobra.NoArgs,
			Example: "  lockbox migrate up",
			RunE: withMigrator(func(command *cobra.Command, migrator *boot.Migrator) error {
				return migrator.Up(command.Context())
			}),
		},
		down,
		&cobra.Command{
			Use:     "version",
			Short:   "Print the version of the schema and the newest version that this program knows",
			Args:    cobra.NoArgs,
			Example: "  lockbox migrate version",
			RunE:    withMigrator(printVersion),
		},
	)
	return command
}

// withMigrator opens the migrator for a command.
func withMigrator(run func(*cobra.Command, *boot.Migrator) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, _ []string) error {
		config, _, err := settings()
		if err != nil {
			return err
		}
		migrator, err := boot.OpenMigrator(config)
		if err != nil {
			return err
		}
		return run(command, migrator)
	}
}

// printVersion prints the schema version of the database and the newest version that this program knows. It returns an
// error if the schema is too new for this program.
func printVersion(command *cobra.Command, migrator *boot.Migrator) error {
	current, newest, err := migrator.Version(command.Context())
	if err != nil {
		return err
	}
	fmt.Fprintf(command.OutOrStdout(), "database %06d, program %06d\n", current, newest)
	return boot.CheckSchema(current, newest)
}
