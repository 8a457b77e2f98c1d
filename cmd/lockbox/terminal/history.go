package terminal

import (
	"cmp"
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func historyCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "history BOX/KEY",
		Short: "List the versions of an entry, newest first",
		Long: `List the versions of an entry that the server keeps, newest first, with who wrote them. Of a deleted entry these are the
versions that can be restored, and none is current.`,
		Example:           "  lockbox history prod/app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeAddresses()),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			at, err := parseAddress(args[0])
			if err != nil {
				return err
			}
			versions, err := server.ListVersions(ctx, at.box, at.key)
			if err != nil {
				return err
			}
			return s.show(versions, []string{"VERSION", "AUTHOR", "CREATED", "CURRENT"},
				func(add func(cells ...string)) {
					for _, each := range versions {
						current := ""
						if each.Current {
							current = "current"
						}
						add(strconv.FormatUint(each.Version, 10), cmp.Or(each.Author, "-"), when(each.CreatedAt),
							current)
					}
				})
		}),
	}
}
