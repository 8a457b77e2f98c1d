package terminal

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// whoamiCommand shows the caller (GET /whoami). The exit code is exitUnauthenticated if there is no valid token. With
// --output json it prints the response, which does not contain the URL of the server.
func whoamiCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show which user you are signed in as",
		Long: `Show which user you are signed in as, with the role and group of the user, the kind of the token, its
expiry time and the server. The command sends a request to the server, so it also shows whether the token is still
valid.`,
		Example: "  lockbox whoami\n  lockbox whoami -o json",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			// The request succeeds even for users who have no box and no permission.
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			return s.show(who, nil, func(add func(...string)) {
				add("username", who.Username)
				add("role", who.Role)
				add("group", cmp.Or(who.Group, "-"))
				add("token", who.Token.Kind)
				add("expires", formatTime(who.Token.ExpiresAt))
				// The response does not contain the URL. The table shows it, so that the user knows which server
				// responded.
				add("server", server.URL())
			})
		}),
	}
}
