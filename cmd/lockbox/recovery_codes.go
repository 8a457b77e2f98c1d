package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/terminal"
	"github.com/lockbox-go/lockbox/domain/serverkeys"
)

// recoveryCodesCommand lists the recovery codes that an older release stored. It converts or deletes them only if the
// operator passes a flag, because only the operator can know whether an attacker added some of them.
func recoveryCodesCommand() *cobra.Command {
	var convert int
	var remove bool
	command := &cobra.Command{
		Use:   "recovery-codes",
		Short: "List, convert or delete recovery codes of an older release",
		Long: `List the users whose recovery codes an older release stored without a key. Sign-ins refuse these codes,
because anyone who can write to the database can add one. Without a flag, the command changes nothing.

--convert=N makes the N listed codes valid. If the database has another number of them by then, it changes nothing:
codes were added after you listed them. Use it once, directly after the upgrade, and only if no other program or person
could write to the database. --delete deletes them; their users enrol again to get new codes. Both actions are
audited.`,
		Example: "  lockbox secret recovery-codes\n  lockbox secret recovery-codes --convert=20",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return withServerKeys(command, 0, func(ctx context.Context, keys *serverkeys.Service) error {
				switch {
				case command.Flags().Changed("convert"):
					count, err := keys.ConvertRecoveryCodes(ctx, convert)
					fmt.Fprintf(command.OutOrStdout(), "%d recovery codes are converted\n", count)
					return err
				case remove:
					count, err := keys.DeletePlainRecoveryCodes(ctx)
					fmt.Fprintf(command.OutOrStdout(), "%d recovery codes are deleted\n", count)
					return err
				}
				return listPlainRecoveryCodes(ctx, command, keys)
			})
		},
	}
	command.Flags().IntVar(&convert, "convert", 0, "make the listed codes valid if there are exactly `N` of them")
	command.Flags().BoolVar(&remove, "delete", false, "delete the listed codes")
	command.MarkFlagsMutuallyExclusive("convert", "delete")
	return command
}

// listPlainRecoveryCodes prints a table of the users whose recovery codes an older release stored. Below the table, it
// prints the commands that convert or delete the codes.
func listPlainRecoveryCodes(ctx context.Context, command *cobra.Command, keys *serverkeys.Service) error {
	users, err := keys.PlainRecoveryCodes(ctx)
	if err != nil {
		return err
	}
	out, codes := command.OutOrStdout(), 0
	if len(users) == 0 {
		fmt.Fprintln(out, "no recovery codes of an older release are stored")
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "USER\tCODES")
	for _, user := range users {
		codes += user.Codes
		fmt.Fprintf(table, "%s\t%d\n", terminal.Printable(string(user.Name)), user.Codes)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, `
Sign-ins refuse these %d codes of %d users. Nothing is changed. To make them valid or to delete them, run one of
  lockbox secret recovery-codes --convert=%d
  lockbox secret recovery-codes --delete
`, codes, len(users), codes)
	return nil
}
