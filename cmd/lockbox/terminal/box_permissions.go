package terminal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// permissionNames returns the names of permissions in the form that flags accept.
func permissionNames(list []client.Permission) []string {
	names := make([]string, len(list))
	for i, permission := range list {
		names[i] = string(permission)
	}
	return names
}

// permissionFlags are the mutually exclusive ways to change permissions.
type permissionFlags struct {
	// set holds the permissions that replace all existing permissions.
	set []string
	// add holds the permissions to grant, and remove holds the permissions to revoke. All other permissions stay the
	// same.
	add, remove []string
	// none revokes all permissions.
	none bool
}

// boxPermissionsCommand shows or changes the permissions of a user in a box (GET, PUT and DELETE
// /boxes/{box}/users/{username}/permissions). Boxadmins and admins may change them; users may see their own
// permissions. For an unknown permission the command sends no request and the exit code is exitUsage. At most one of
// the flags that change permissions may be given.
func boxPermissionsCommand(s *session) *cobra.Command {
	var flags permissionFlags
	command := &cobra.Command{
		Use:   "permissions BOX USER",
		Short: "Show or change what a user may do with the entries of a box",
		Long: `Show the permissions of a user to the entries of a box, one per line, or change them with a flag. The
permissions are ` + strings.Join(permissionNames(client.Permissions()), ", ") + `. No role replaces a permission. A
boxadmin without readEntry must first grant this permission to itself, and the audit log contains that grant.

--add and --remove read the permissions and write them back. If another user changes the permissions in between, that
change is lost.`,
		Example: `  lockbox box permissions prod anna
  lockbox box permissions prod anna --add createEntry,deleteEntry
  lockbox box permissions prod anna --set readEntryKeys,readEntry
  lockbox box permissions prod anna --none`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeMembers()),
	}
	command.Flags().StringSliceVar(&flags.set, "set", nil, "replace all permissions with this comma-separated list")
	command.Flags().StringSliceVar(&flags.add, "add", nil, "grant these permissions in addition to the existing ones")
	command.Flags().StringSliceVar(&flags.remove, "remove", nil, "revoke these permissions")
	command.Flags().BoolVar(&flags.none, "none", false, "revoke all permissions")
	command.MarkFlagsMutuallyExclusive("set", "add", "remove", "none")
	for _, name := range []string{"set", "add", "remove"} {
		_ = command.RegisterFlagCompletionFunc(name,
			cobra.FixedCompletions(permissionNames(client.Permissions()), cobra.ShellCompDirectiveNoFileComp))
	}
	// Without one of these flags, the command only shows the permissions.
	command.RunE = s.run(func(ctx context.Context, server *client.Client, args []string) error {
		if command.Flags().Changed("set") || command.Flags().Changed("add") || command.Flags().Changed("remove") ||
			flags.none {
			return changePermissions(ctx, server, args[0], args[1], flags)
		}
		granted, err := server.ListPermissions(ctx, args[0], args[1])
		if err != nil {
			return err
		}
		return s.showList(permissionNames(granted))
	})
	return command
}

// changePermissions applies the flag that was given. With --set or --none, one request replaces the permissions. With
// --add or --remove, the change needs two requests and is not atomic.
func changePermissions(ctx context.Context, server *client.Client, box, user string, flags permissionFlags) error {
	// The flags are mutually exclusive, so at most one of the three lists has elements.
	given, err := parsePermissions(slices.Concat(flags.set, flags.add, flags.remove))
	if err != nil {
		return err
	}
	if flags.none {
		return server.ClearPermissions(ctx, box, user)
	}
	if flags.set != nil {
		return server.SetPermissions(ctx, box, user, given)
	}
	granted, err := server.ListPermissions(ctx, box, user)
	if err != nil {
		return err
	}
	if flags.add != nil {
		return server.SetPermissions(ctx, box, user, append(granted, given...))
	}
	return server.SetPermissions(ctx, box, user, slices.DeleteFunc(granted, func(each client.Permission) bool {
		return slices.Contains(given, each)
	}))
}

// parsePermissions rejects unknown names before a request is sent. Otherwise, a request to remove a misspelt permission
// would succeed and change nothing.
func parsePermissions(names []string) ([]client.Permission, error) {
	parsed := make([]client.Permission, len(names))
	for i, name := range names {
		// UnmarshalText ignores letter case. It does not reject an unknown name, so the next line does.
		_ = parsed[i].UnmarshalText([]byte(strings.TrimSpace(name)))
		if !slices.Contains(client.Permissions(), parsed[i]) {
			return nil, &usageError{fmt.Errorf("unknown permission %q: use %s", name,
				strings.Join(permissionNames(client.Permissions()), ", "))}
		}
	}
	return parsed, nil
}
