package terminal

import (
	"github.com/spf13/cobra"
)

// The groups of commands in lockbox --help.
const (
	groupEntries = "entries"
	groupTeam    = "team"
	groupSignIn  = "sign-in"
)

// AddCommands adds the commands of this package to the program. version becomes part of the User-Agent header. All
// commands share one session, so AddCommands must be called once per program.
func AddCommands(root *cobra.Command, version string) {
	root.AddGroup(
		&cobra.Group{ID: groupEntries, Title: "Entries:"},
		&cobra.Group{ID: groupTeam, Title: "Boxes, people and servers:"},
		&cobra.Group{ID: groupSignIn, Title: "Signing in:"},
	)
	s := newSession(version)
	for group, constructors := range map[string][]func(*session) *cobra.Command{
		groupEntries: {getCommand, setCommand, deleteCommand, listCommand, historyCommand, restoreCommand, runCommand,
			exportCommand, importCommand},
		groupTeam:   {boxCommand, usersCommand, apiKeysCommand, dropletCommand, auditCommand},
		groupSignIn: {initCommand, joinCommand, loginCommand, logoutCommand, whoamiCommand, profileCommand},
	} {
		for _, construct := range constructors {
			command := construct(s)
			command.GroupID = group
			s.addFlags(command)
			root.AddCommand(command)
		}
	}
}
