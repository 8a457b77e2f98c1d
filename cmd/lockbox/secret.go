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

func secretCommand() *cobra.Command {
	command := &cobra.Command{Use: "secret", Short: "Look after the secret and the keys that it wraps"}
	command.AddCommand(rotateCommand(), rekeyCommand(), statusCommand())
	return command
}

// withServerKeys opens the database and the keys for a command.
func withServerKeys(command *cobra.Command, grace time.Duration,
	run func(ctx context.Context, keys *serverkeys.Service) error) error {
	protectMemory()
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

func rotateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Wrap the server's keys under a new secret",
		Long: `Wrap the server's keys under LOCKBOX_SECRET_KEY, which is the new secret; LOCKBOX_SECRET_KEY_PREVIOUS is the old one.
Every token, password and entry keeps working. Servers may run meanwhile with both set; restart them without the
previous one afterwards. After somebody has seen the old secret and a backup, rekey as well.`,
		Example: "  LOCKBOX_SECRET_KEY_FILE=new LOCKBOX_SECRET_KEY_PREVIOUS_FILE=old lockbox secret rotate",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return withServerKeys(command, 0, func(ctx context.Context, keys *serverkeys.Service) error {
				count, err := keys.Rotate(ctx)
				if err == nil {
					fmt.Fprintf(command.OutOrStdout(),
						"%d keys are wrapped under LOCKBOX_SECRET_KEY now; LOCKBOX_SECRET_KEY_PREVIOUS is no longer "+
							"needed\n", count)
				}
				return err
			})
		},
	}
}

func statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "List the server's keys",
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

func stateOf(key ports.KeyStatus) string {
	if key.RetiredAt.IsZero() {
		return "in use"
	}
	return "retired, rekey unfinished"
}

func secretOf(key ports.KeyStatus) string {
	if key.UnderPrevious {
		return "LOCKBOX_SECRET_KEY_PREVIOUS"
	}
	return "LOCKBOX_SECRET_KEY"
}

func rekeyCommand() *cobra.Command {
	var yes bool
	var grace time.Duration
	command := &cobra.Command{
		Use:   "rekey PURPOSE",
		Short: "Replace a server key after a compromise",
		Long: `Replace the server key of a purpose (entry, account, api-key, session, throttle) by a new one while servers run, and move
over what is under the old one. Entries and passwords keep working. Tokens cannot be moved: with api-key and session
they end, and for api-key the keys that will end are listed first; say --yes to go on.

It takes half a minute at least, to let the servers' transactions end. When it is stopped half-way, run it again.`,
		Example:   "  lockbox secret rekey entry\n  lockbox secret rekey api-key --yes",
		Args:      cobra.ExactArgs(1),
		ValidArgs: []string{"entry", "account", "api-key", "session", "throttle"},
		RunE: func(command *cobra.Command, args []string) error {
			purpose, err := domain.ParseKeyPurpose(args[0])
			if err != nil {
				return err
			}
			return withServerKeys(command, grace, func(ctx context.Context, keys *serverkeys.Service) error {
				if purpose == domain.KeyForAPIKeys && !yes {
					return listDoomed(ctx, command, keys)
				}
				return rekey(ctx, command, keys, purpose)
			})
		},
	}
	command.Flags().BoolVar(&yes, "yes", false, "go on although API keys end")
	command.Flags().DurationVar(&grace, "grace", boot.RekeyGrace,
		"how long to wait for transactions of servers that run")
	return command
}

func listDoomed(ctx context.Context, command *cobra.Command, keys *serverkeys.Service) error {
	doomed, err := keys.APIKeysRevokedByRekey(ctx)
	if err != nil {
		return err
	}
	for _, key := range doomed {
		fmt.Fprintf(command.OutOrStdout(), "%s\t%s\t%q\n", key.User, key.Key.ID, key.Key.Name)
	}
	return errors.New("these API keys will end, and their users must sign in for new ones; nothing is done yet: say " +
		"--yes to go on")
}

func rekey(ctx context.Context, command *cobra.Command, keys *serverkeys.Service, purpose domain.KeyPurpose) error {
	fmt.Fprintf(command.ErrOrStderr(), "replacing the %s key; after the move, servers' transactions are waited for\n",
		purpose)
	done, err := keys.Rekey(ctx, purpose, func(done int) {
		fmt.Fprintf(command.ErrOrStderr(), "%d done\n", done)
	})
	_, forged := errors.AsType[*serverkeys.TamperedRowsError](err)
	if err != nil && !forged {
		return fmt.Errorf("stopped after %d; what is done stays done, run it again: %w", done, err)
	}
	fmt.Fprintf(command.OutOrStdout(), "the %s key is replaced; %d rows were moved or ended\n", purpose, done)
	return err
}
