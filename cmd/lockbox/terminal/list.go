package terminal

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// listCommand lists the keys of a box (GET /boxes/{box}/entries). For an empty box it prints nothing, and the exit code
// is 0. Keys are sorted. With --output json it prints an array of strings.
func listCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:        "list BOX[/PREFIX]",
		SuggestFor: []string{"ls"},
		Short:      "List the keys of the entries of a box, one per line",
		Long: `List the keys of the entries of a box, one per line. With PREFIX, list only the keys below it. This
needs the permission readEntryKeys but no encryption key.`,
		Example: `  lockbox list prod
  lockbox list prod/payments/`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			// BOX and BOX/ both list the whole box.
			box, prefix, _ := strings.Cut(args[0], "/")
			keys, err := server.ListEntries(ctx, box, prefix)
			if err != nil {
				return err
			}
			return s.showList(keys)
		}),
	}
}
