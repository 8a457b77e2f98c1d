package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
	"github.com/lockbox-go/lockbox/ports"
)

// secretCommand groups the commands about the secret, and about the server keys that are encrypted with the secret.
func secretCommand() *cobra.Command {
	command := &cobra.Command{Use: "secret", Short: "Manage the server keys and the secret that encrypts them"}
	command.AddCommand(rotateCommand(), rekeyCommand(), statusCommand(), recoveryCodesCommand())
	return command
}

// withServerKeys opens the database and the key ring, calls the function run, and closes the database and the key ring.
func withServerKeys(command *cobra.Command, grace time.Duration,
	run func(ctx context.Context, keys *serverkeys.Service) error) error {
	protectMemory() // before any key is read
	config, log, err := settings()
	if err != nil {
		return err
	}
	keys, closeAll, err := boot.OpenServerKeys(command.Context(), config, log, grace)
	if err != nil {
		return err
	}
	defer closeAll()
	return run(command.Context(), keys)
}

// rotateCommand encrypts the existing server keys with a new secret. To replace a server key itself, use rekeyCommand.
func rotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Wrap the server keys under a new secret",
		Long: `Wrap the server keys under the new secret in LOCKBOX_SECRET_KEY; LOCKBOX_SECRET_KEY_PREVIOUS must hold
the old secret. Every token, password and entry keeps working. Servers may keep running with both settings; restart
them without the previous secret afterwards. If the old secret and a backup may have leaked, also run lockbox secret
rekey.`,
		Example: "  LOCKBOX_SECRET_KEY_FILE=new LOCKBOX_SECRET_KEY_PREVIOUS_FILE=old lockbox secret rotate",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return withServerKeys(command, 0, func(ctx context.Context, keys *serverkeys.Service) error {
				count, err := keys.Rotate(ctx)
				if err == nil {
					fmt.Fprintf(command.OutOrStdout(), "%d keys are wrapped under LOCKBOX_SECRET_KEY; "+
						"LOCKBOX_SECRET_KEY_PREVIOUS is no longer needed\n", count)
				}
				return err
			})
		},
	}
}

// statusCommand prints a table of the keys, without key material.
func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "List the server keys",
		Example: "  lockbox secret status",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return withServerKeys(command, 0, func(_ context.Context, keys *serverkeys.Service) error {
				table := tabwriter.NewWriter(command.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "PURPOSE\tGENERATION\tID\tCREATED\tSTATE\tWRAPPED UNDER")
				for _, key := range keys.Status() {
					fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\n", key.Purpose, key.Generation, key.ID,
						key.CreatedAt.Format(time.RFC3339), stateOf(key), secretOf(key))
				}
				return table.Flush()
			})
		},
	}
}

// stateOf returns the text for the state of a key. A retired key stays stored until the rekey that replaces it is
// complete.
func stateOf(key ports.KeyStatus) string {
	if key.RetiredAt.IsZero() {
		return "in use"
	}
	return "retired, rekey unfinished"
}

// secretOf returns the name of the setting whose secret encrypts a key.
func secretOf(key ports.KeyStatus) string {
	if key.UnderPrevious {
		return "LOCKBOX_SECRET_KEY_PREVIOUS"
	}
	return "LOCKBOX_SECRET_KEY"
}

// rekeyCommand replaces a server key. For the purpose api-key, it requires --yes, because this rekey revokes all API
// keys. The users of these keys must then sign in to create new keys.
func rekeyCommand() *cobra.Command {
	var yes bool
	var grace time.Duration
	command := &cobra.Command{
		Use:   "rekey PURPOSE",
		Short: "Replace a server key after a compromise",
		Long: `Replace the server key of a purpose (entry, account, api-key, session, token, throttle) with a new one,
and move everything under the old key to it, while servers keep running. Entries, passwords and TOTP secrets keep
working. Tokens cannot be moved, so they are revoked. The purpose session revokes all sessions of both APIs. The purpose
api-key revokes all API keys: the command first lists them and stops; add --yes to continue. The purpose token revokes
the tokens of /api/v1, all recovery codes and all open invitations.

The command waits until all transactions that are open when it begins have ended. If it is interrupted, run it again.`,
		Example:   "  lockbox secret rekey entry\n  lockbox secret rekey api-key --yes",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"entry", "account", "api-key", "session", "token", "throttle"},
		RunE: func(command *cobra.Command, args []string) error {
			purpose, err := domain.ParseKeyPurpose(args[0])
			if err != nil {
				return err
			}
			return withServerKeys(command, grace, func(ctx context.Context, keys *serverkeys.Service) error {
				if purpose == domain.KeyForAPIKeys && !yes {
					return listRevoked(ctx, command, keys)
				}
				return rekey(ctx, command, keys, purpose)
			})
		},
	}
	command.Flags().BoolVar(&yes, "yes", false,
		"with the purpose api-key: revoke the API keys instead of only listing them")
	command.Flags().DurationVar(&grace, "grace", boot.RekeyGrace,
		"how long to wait for transactions that do not belong to a Lockbox server")
	return command
}

// listRevoked prints the API keys that the rekey would revoke. It always returns an error, which asks the operator to
// add --yes.
func listRevoked(ctx context.Context, command *cobra.Command, keys *serverkeys.Service) error {
	revoked, err := keys.APIKeysRevokedByRekey(ctx)
	if err != nil {
		return err
	}
	for _, key := range revoked {
		fmt.Fprintf(command.OutOrStdout(), "%s\t%s\t%q\n", key.User, key.Key.ID, key.Key.Name)
	}
	return errors.New("nothing is changed yet: the rekey revokes these API keys, " +
		"and their users must sign in to create new ones; add --yes to continue")
}

// rekey replaces the key and prints the progress. If a row fails authentication, rekey skips the row and continues. At
// the end, it returns an error about the skipped rows.
func rekey(ctx context.Context, command *cobra.Command, keys *serverkeys.Service, purpose domain.KeyPurpose) error {
	fmt.Fprintf(command.ErrOrStderr(), "replacing the %s key; this waits for the transactions of running servers\n",
		purpose)
	done, err := keys.Rekey(ctx, purpose, func(done int) {
		fmt.Fprintf(command.ErrOrStderr(), "%d done\n", done)
	})
	_, tampered := errors.AsType[*serverkeys.TamperedRowsError](err)
	if err != nil && !tampered {
		return fmt.Errorf("the rekey stopped after %d rows: %w; to continue, run the command again", done, err)
	}
	fmt.Fprintf(command.OutOrStdout(), "the %s key is replaced; %d rows were moved to the new key or revoked\n",
		purpose, done)
	return err
}
