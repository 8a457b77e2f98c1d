// Command lockbox contains the server, the commands of the operator, and the commands that use a server over HTTP. The
// commands that use HTTP are in package terminal. Each other command has its own file in this package.
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
	context.AfterFunc(ctx, stop) // the first Ctrl-C waits for requests in flight, and a second one kills the program
	if command, err := terminal.Execute(ctx, root()); err != nil {
		stop()
		terminal.PrintFailure(os.Stdout, command, os.Args, err)
		if !terminal.Quiet(err) {
			terminal.PrintError(os.Stderr, err)
		}
		os.Exit(terminal.ExitCode(err))
	}
}

// groupServer is the id of the group of commands that need the settings of a server.
const groupServer = "server"

// root returns the program with all its commands.
func root() *cobra.Command {
	command := &cobra.Command{
		Use:           "lockbox",
		Short:         "Lockbox is a secrets manager for teams",
		Version:       boot.Version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	server := []*cobra.Command{
		serveCommand(),
		devCommand(),
		migrateCommand(),
		secretCommand(),
		userCommand(),
		backupCommand(),
		doctorCommand(),
		healthCommand(),
		firstRunCommand(),
	}
	for _, each := range server {
		each.GroupID = groupServer
	}
	terminal.AddCommands(command, boot.Version())
	command.AddGroup(&cobra.Group{ID: groupServer, Title: "Commands for the operator of a server:"})
	command.AddCommand(server...)
	command.AddCommand(keygenCommand(), installCommand(), versionCommand())
	terminal.MarkUsage(command)
	return command
}

// versionCommand prints the version on the first line, for scripts. The following lines describe the build. In
// contrast, lockbox --version prints a sentence.
func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, the commit and the Go toolchain",
		Example: "  lockbox version\n  lockbox version | head -n 1",
		Args:    cobra.NoArgs,
		Run: func(command *cobra.Command, _ []string) {
			out := command.OutOrStdout()
			fmt.Fprintln(out, boot.Version())
			for _, each := range boot.Build() {
				fmt.Fprintf(out, "%s: %s\n", each[0], each[1])
			}
		},
	}
}

// settings reads the settings of a command from the environment. It also returns the log of the command, which writes
// to standard error. It does not call Config.Validate, because each command checks only the settings that it needs.
func settings() (boot.Config, *slog.Logger, error) {
	config, unknown, err := boot.ReadEnvironment(os.Environ())
	if err != nil {
		return boot.Config{}, nil, fmt.Errorf("invalid settings:\n%w", err)
	}
	log := boot.NewLog(config, os.Stderr)
	warnOfUnknown(log, unknown)
	return config, log, nil
}

// warnOfUnknown logs a warning for each variable that begins with LOCKBOX_ but is not a setting. Such a variable may be
// a misspelled setting.
func warnOfUnknown(log *slog.Logger, unknown []string) {
	for _, name := range unknown {
		log.Warn("ignoring a variable that begins with LOCKBOX_ and is not a setting", slog.String("name", name))
	}
}
