package terminal

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func listCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:        "list BOX[/PREFIX]",
		SuggestFor: []string{"ls"},
		Short:      "List the keys of a box's entries, one a line",
		Example: `  lockbox list prod
  lockbox list prod/payments/`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: first(s.completeBoxes()),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			box, prefix, _ := strings.Cut(args[0], "/")
			keys, err := server.ListEntries(ctx, box, prefix)
			if err != nil {
				return err
			}
			return s.showList(keys)
		}),
	}
}
