package main

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// firstRunCommand prepares the volume of a Docker Compose installation.
func firstRunCommand() *cobra.Command {
	var host string
	var owner int
	command := &cobra.Command{
		Use:   "first-run DIR",
		Short: "Create the missing passwords of a Docker Compose installation",
		Long: `Create the files that are missing in DIR: database-password, database-url (with that password) and
init-token. docker-compose.yml runs this command first, with a volume as DIR. It does not create the secret of the
server: serve --create-secret creates it, because that command can check that the database has no keys yet.`,
		Example: "  lockbox first-run /run/lockbox/secrets",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return boot.FirstRun(args[0], host, owner) },
	}
	command.Flags().StringVar(&host, "database-host", "postgres:5432", "host and port of PostgreSQL")
	command.Flags().IntVar(&owner, "owner", 65532, "numeric id of the user who owns the files")
	return command
}
