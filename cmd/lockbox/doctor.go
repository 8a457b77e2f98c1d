package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/cmd/lockbox/terminal"
)

// doctorCommand checks everything that a server needs. It must run as the user of the server, with the same settings.
func doctorCommand() *cobra.Command {
	var output string
	var strict bool
	command := &cobra.Command{
		Use:   "doctor",
		Short: "Check the settings, the database, the secret, the certificate, files and backups of a server",
		Long: `Check everything that a server needs, and print a remedy for each problem: settings, memory, database,
schema, secret, clock, replication, pooler, connections, database log, certificate, files and backups. Run the command
as the user of the server, with the settings of the server in the environment. It changes nothing, and the server may
run.

The exit code is 0 if there is no error, and 1 otherwise; with --strict, a warning counts as an error.`,
		Example: "  lockbox doctor\n  lockbox doctor --strict --output json",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return terminal.UsageError(command, fmt.Errorf("--output must be table or json, not %q", output))
			}
			protectMemory() // before the secret is read
			checks := boot.Doctor(command.Context(), os.Environ())
			if err := printChecks(command.OutOrStdout(), checks, output); err != nil {
				return err
			}
			return verdict(checks, strict)
		},
	}
	command.Flags().StringVarP(&output, "output", "o", "table", "output format: table or json")
	command.Flags().BoolVar(&strict, "strict", false, "exit with code 1 if there is a warning, even without an error")
	return command
}

// printChecks prints the checks as JSON or as a table. In the table, the remedy is on a separate line after the detail.
func printChecks(out io.Writer, checks []boot.Check, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(map[string][]boot.Check{"checks": checks})
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tSTATUS\tDETAIL")
	for _, check := range checks {
		fmt.Fprintf(table, "%s\t%s\t%s\n", check.Name, check.Status, terminal.Printable(check.Detail))
		if check.Remedy != "" {
			fmt.Fprintf(table, "\t\tRemedy: %s\n", check.Remedy)
		}
	}
	return table.Flush()
}

// verdict returns an error if a check failed.
func verdict(checks []boot.Check, strict bool) error {
	count := make(map[boot.Status]int)
	for _, check := range checks {
		count[check.Status]++
	}
	if count[boot.StatusError] > 0 || strict && count[boot.StatusWarning] > 0 {
		return fmt.Errorf("the checks found %d errors and %d warnings", count[boot.StatusError],
			count[boot.StatusWarning])
	}
	return nil
}
