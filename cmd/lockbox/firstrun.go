package main

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

func firstRunCommand() *cobra.Command {
	var host string
	var owner int
	command := &cobra.Command{
		Use:   "first-run DIR",
		Short: "Make the passwords of an installation with docker compose, where they are missing",
		Long: `Make, in DIR, what is missing of: database-password, database-url (with that password) and init-token.
docker-compose.yml runs it before everything else, with DIR a volume. The secret of the server is made by
serve --create-secret, which can see whether the database has keys already.`,
		Example: "  lockbox first-run /run/lockbox/secrets",
		Args:    cobra.ExactArgs(1),
		RunE:    func(_ *cobra.Command, args []string) error { return boot.FirstRun(args[0], host, owner) },
	}
	command.Flags().StringVar(&host, "database-host", "postgres:5432", "host and port of PostgreSQL")
	command.Flags().IntVar(&owner, "owner", 65532, "user id that the files are for")
	return command
}
