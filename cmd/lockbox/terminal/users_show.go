package terminal

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// userResult is the JSON output for a user.
type userResult struct {
	Username  string    `json:"username"`
	Role      string    `json:"role"`
	IsActive  bool      `json:"isActive"`
	CreatedAt time.Time `json:"createdAt"`
	UpdatedAt time.Time `json:"updatedAt"`
	// APIKeys contains the ids of the API keys. It contains the keys themselves if the server is configured to return
	// them.
	APIKeys []string `json:"apiKeys"`
	// Permissions are the permissions that the user has in at least one box.
	Permissions []client.Permission `json:"permissions"`
}

// usersShowCommand shows a user (GET /users/{username}). With --output json it prints a userResult, which lists each
// permission that the user has in at least one box. The table also lists the permissions of the user in each box of the
// caller.
func usersShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "show [USER]",
		Short: "Show a user, or yourself",
		Long: `Show the role and state of a user, the number of the user's API keys, and the user's permissions in
each of your boxes. Without USER, show yourself. The line "in any box" lists the permissions that the user has in at
least one box, including boxes that you cannot see. The JSON output contains this list, but not the
permissions in each box. Only admins may show other users.`,
		Example: "  lockbox users show anna\n  lockbox users show -o json",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			name, err := userOrSelf(ctx, server, args)
			if err != nil {
				return err
			}
			user, err := server.DescribeUser(ctx, name)
			if err != nil {
				return err
			}
			var boxes []boxPermissions
			if s.output != formatJSON {
				if boxes, err = permissionsByBox(ctx, server, user.Username); err != nil {
					return err
				}
			}
			return s.showUser(user, boxes)
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
}

// boxPermissions are the permissions of a user in one box.
type boxPermissions struct {
	box         string
	permissions []client.Permission
}

// permissionsByBox returns the permissions of a user in each box of the caller, sorted by box. It omits a box if the
// user is not an active member, or if the caller may not see the user.
func permissionsByBox(ctx context.Context, server *client.Client, username string) ([]boxPermissions, error) {
	boxes, err := server.ListBoxes(ctx)
	if err != nil {
		return nil, err
	}
	var found []boxPermissions
	for _, box := range boxes {
		member, err := server.DescribeBoxUser(ctx, box, username)
		switch {
		case errors.Is(err, client.ErrNotFound), errors.Is(err, client.ErrForbidden):
			continue
		case err != nil:
			return nil, err
		}
		if member.IsActive {
			found = append(found, boxPermissions{box, member.Permissions})
		}
	}
	return found, nil
}

// showUser prints a user with its permissions in boxes. The table contains only the number of API keys. A server can be
// configured to return the keys themselves, but keys must not appear on a screen.
func (s *session) showUser(user *client.User, boxes []boxPermissions) error {
	result := userResult{
		Username:    user.Username,
		Role:        user.Role,
		IsActive:    user.IsActive,
		CreatedAt:   user.CreatedAt,
		UpdatedAt:   user.UpdatedAt,
		APIKeys:     []string{},
		Permissions: user.Permissions,
	}
	for _, id := range user.APIKeys {
		result.APIKeys = append(result.APIKeys, id.Reveal())
	}
	return s.show(result, nil, func(add func(...string)) {
		add("username", user.Username)
		add("role", user.Role)
		add("state", stateText(user.IsActive))
		add("created", formatTime(user.CreatedAt))
		add("updated", formatTime(user.UpdatedAt))
		add("api keys", strconv.Itoa(len(user.APIKeys)))
		for _, each := range boxes {
			add("in box "+each.box, cmp.Or(strings.Join(permissionNames(each.permissions), ", "), "-"))
		}
		add("in any box", cmp.Or(strings.Join(permissionNames(user.Permissions), ", "), "-"))
	})
}
