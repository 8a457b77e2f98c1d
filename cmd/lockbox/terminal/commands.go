package terminal

import (
	"os"

	"github.com/spf13/cobra"
)

// The groups of commands in lockbox --help.
const (
	// groupEntries are the commands that people use every day.
	groupEntries = "entries"
	// groupTeam are the commands that administer a server and its boxes.
	groupTeam = "team"
	// groupSignIn are the commands that select the server and the account for all other commands.
	groupSignIn = "sign-in"
)

// AddCommands adds the commands of this package to the program. All commands, including root, print to the same Stdout.
// The parameter version becomes part of the User-Agent header. All commands share one session, so AddCommands must be
// called once per program.
func AddCommands(root *cobra.Command, version string) {
	root.AddGroup(
		&cobra.Group{ID: groupEntries, Title: "Entries:"},
		&cobra.Group{ID: groupTeam, Title: "Boxes, people and servers:"},
		&cobra.Group{ID: groupSignIn, Title: "Signing in:"},
	)
	stdout := &Stdout{file: os.Stdout}
	root.SetOut(stdout)
	s := newSession(version, stdout)
	// Within a group, cobra sorts the commands by name, so the order here has no effect.
	for group, constructors := range map[string][]func(*session) *cobra.Command{
		groupEntries: {getCommand, setCommand, deleteCommand, listCommand, historyCommand, restoreCommand, runCommand,
			exportCommand, importCommand},
		groupTeam:   {boxCommand, identityCommand, usersCommand, apiKeysCommand, dropletCommand, auditCommand},
		groupSignIn: {initCommand, joinCommand, loginCommand, logoutCommand, whoamiCommand, profileCommand},
	} {
		for _, construct := range constructors {
			command := construct(s)
			command.GroupID = group
			s.addFlags(command)
			visitCommands(command, s.explainErrors)
			root.AddCommand(command)
		}
	}
}

// explainErrors makes a command add details from the session to its errors; see explainToken.
func (s *session) explainErrors(command *cobra.Command) {
	work := command.RunE
	if work == nil {
		return // a parent command
	}
	command.RunE = func(command *cobra.Command, args []string) error {
		return s.explainToken(work(command, args))
	}
}
