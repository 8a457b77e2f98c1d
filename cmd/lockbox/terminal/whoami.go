package terminal

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func whoamiCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "whoami",
		Short:   "Show who you are to the server, and until when",
		Example: "  lockbox whoami\n  lockbox whoami -o json",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			return s.show(who, nil, func(add func(...string)) {
				add("username", who.Username)
				add("role", who.Role)
				add("group", cmp.Or(who.Group, "-"))
				add("token", who.Token.Kind)
				add("expires", when(who.Token.ExpiresAt))
				add("server", server.URL())
			})
		}),
	}
}
