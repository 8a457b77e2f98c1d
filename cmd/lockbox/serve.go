package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
)

// serveCommand runs the server. With --create-secret, it first creates the secret of a new installation, unless the
// file that LOCKBOX_SECRET_KEY_FILE names exists already. Docker Compose uses this flag.
func serveCommand() *cobra.Command {
	var createSecret bool
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the server, with settings from the environment (LOCKBOX_…)",
		Long: `Run the server until SIGTERM. The settings are environment variables. LOCKBOX_DATABASE_URL and
LOCKBOX_SECRET_KEY are required. The server upgrades an older schema before it serves. On SIGHUP, it reads the files of
its TLS certificate and key again.`,
		Example: "  LOCKBOX_DATABASE_URL_FILE=database-url LOCKBOX_SECRET_KEY_FILE=secret-key lockbox serve\n  " +
			"lockbox serve --create-secret",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			protectMemory()
			// By default, SIGHUP ends the process. Receive it from here on, because it can already arrive while the
			// server starts.
			reload := make(chan os.Signal, 1)
			signal.Notify(reload, syscall.SIGHUP)
			defer signal.Stop(reload)
			if createSecret {
				if err := boot.CreateSecretFile(command.Context(), os.Environ()); err != nil {
					return err
				}
			}
			// Do not call the function settings here, because it does not call Config.Validate, and serve must check
			// all settings. AllMistakes joins the errors of Validate and ReadEnvironment, so that one message lists all
			// mistakes.
			config, unknown, err := boot.ReadEnvironment(os.Environ())
			if err := boot.AllMistakes(err, config.Validate(), unknown); err != nil {
				return fmt.Errorf("invalid settings:\n%w", err)
			}
			log := boot.NewLog(config, os.Stderr)
			warnOfUnknown(log, unknown)
			app, err := boot.New(config, log)
			if err != nil {
				return err
			}
			app.PrintInitToken, app.Reload = createSecret, reload
			return app.Run(command.Context())
		},
	}
	command.Flags().BoolVar(&createSecret, "create-secret", false,
		"create a secret in LOCKBOX_SECRET_KEY_FILE if this file is missing and the database has no server keys; "+
			"also log the init token at each start until there is an owner")
	return command
}
