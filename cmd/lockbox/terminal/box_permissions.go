package terminal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// permissions are all there are, in the order in which the server lists them.
var permissions = []client.Permission{client.PermissionReadEntryKeys, client.PermissionReadEntry,
	client.PermissionCreateEntry,
	client.PermissionDeleteEntry}

func texts(list []client.Permission) []string {
	names := make([]string, len(list))
	for i, permission := range list {
		names[i] = string(permission)
	}
	return names
}

// permissionFlags are the ways to change permissions, of which one can be used at a time.
type permissionFlags struct {
	set, add, remove []string
	none             bool
}

func boxPermissionsCommand(s *session) *cobra.Command {
	var flags permissionFlags
	command := &cobra.Command{
		Use:   "permissions BOX USER",
		Short: "Show or change what a user may do with the entries of a box",
		Long: `Show what a user may do with the entries of a box, one a line; with a flag, change it. The permissions are readEntryKeys,
readEntry, createEntry and deleteEntry. No role stands in for them: a boxadmin who wants to read grants it to itself, and
that is on record. --add and --remove read the permissions and write them back: what somebody else writes in between is
lost.`,
		Example: `  lockbox box permissions prod anna
  lockbox box permissions prod anna --add createEntry,deleteEntry
  lockbox box permissions prod anna --set readEntryKeys,readEntry
  lockbox box permissions prod anna --none`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: inTurn(s.completeBoxes(), s.completeMembers()),
	}
	command.Flags().StringSliceVar(&flags.set, "set", nil, "give exactly these, separated by commas")
	command.Flags().StringSliceVar(&flags.add, "add", nil, "give these too")
	command.Flags().StringSliceVar(&flags.remove, "remove", nil, "take these away")
	command.Flags().BoolVar(&flags.none, "none", false, "take all away")
	command.MarkFlagsMutuallyExclusive("set", "add", "remove", "none")
	for _, name := range []string{"set", "add", "remove"} {
		_ = command.RegisterFlagCompletionFunc(name,
			cobra.FixedCompletions(texts(permissions), cobra.ShellCompDirectiveNoFileComp))
	}
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		if command.Flags().Changed("set") || command.Flags().Changed("add") || command.Flags().Changed("remove") ||
			flags.none {
			return changePermissions(ctx, server, args[0], args[1], flags)
		}
		has, err := server.ListPermissions(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return s.showList(texts(has))
	})
	return command
}

func changePermissions(ctx context.Context, server *client.Client, box, user string, flags permissionFlags) error {
	wanted, err := parsePermissions(slices.Concat(flags.set, flags.add, flags.remove))
	if err != nil {
		return err
	}
	if flags.none {
		return server.ClearPermissions(ctx, box, user)
	}
	if flags.set != nil {
		return server.SetPermissions(ctx, box, user, wanted)
	}
	has, err := server.ListPermissions(ctx, box, user)
	if err != nil {
		return err
	}
	if flags.add != nil {
		return server.SetPermissions(ctx, box, user, append(has, wanted...))
	}
	return server.SetPermissions(ctx, box, user, slices.DeleteFunc(has, func(each client.Permission) bool {
		return slices.Contains(wanted, each)
	}))
}

// parsePermissions refuses a misspelt one before anything is sent: taking away what there is not would look like success.
func parsePermissions(names []string) ([]client.Permission, error) {
	parsed := make([]client.Permission, len(names))
	for i, name := range names {
		_ = parsed[i].UnmarshalText([]byte(strings.TrimSpace(name)))
		if !slices.Contains(permissions, parsed[i]) {
			return nil, &usageError{fmt.Errorf("%q is no permission: there are %s", name,
				strings.Join(texts(permissions), ", "))}
		}
	}
	return parsed, nil
}
