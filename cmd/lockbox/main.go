// Command lockbox is the service and what its operator needs beside it. Each sub-command is a file.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/boot"
	"github.com/lockbox-go/lockbox/cmd/lockbox/terminal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if err := root().ExecuteContext(ctx); err != nil {
		stop()
		if !terminal.Quiet(err) {
			terminal.PrintError(os.Stderr, err)
		}
		os.Exit(terminal.ExitCode(err))
	}
}

const groupServer = "server"

func root() *cobra.Command {
	command := &cobra.Command{
		Use:           "lockbox",
		Short:         "Lockbox keeps a team's credentials in one place",
		Version:       boot.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	server := []*cobra.Command{serveCommand(), devCommand(), migrateCommand(), secretCommand(), userCommand(),
		healthCommand(),
		firstRunCommand()}
	for _, each := range server {
		each.GroupID = groupServer
	}
	terminal.AddCommands(command, boot.Version())
	command.AddGroup(&cobra.Group{ID: groupServer, Title: "For whoever runs the server:"})
	command.AddCommand(server...)
	command.AddCommand(keygenCommand(), versionCommand())
	terminal.MarkUsage(command)
	return command
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  lockbox version",
		Args:    cobra.NoArgs,
		Run: func(command *cobra.Command, _ []string) {
			fmt.Fprintln(command.OutOrStdout(), boot.Version())
		},
	}
}

// settings reads the environment for a command and makes its log, which goes to standard error.
func settings() (boot.Config, *slog.Logger, error) {
	config, unknown, err := boot.ReadEnvironment(os.Environ())
	if err != nil {
		return boot.Config{}, nil, fmt.Errorf("the settings are wrong:\n%w", err)
	}
	log := boot.NewLog(config, os.Stderr)
	warnOfUnknown(log, unknown)
	return config, log, nil
}

func warnOfUnknown(log *slog.Logger, unknown []string) {
	for _, name := range unknown {
		log.Warn("this variable looks like a setting and is none", slog.String("name", name))
	}
}
