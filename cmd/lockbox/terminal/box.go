package terminal

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func boxCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "box",
		Short: "Look after boxes and who is in them",
	}
	command.AddCommand(boxListCommand(s))
	return command
}

func boxListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the boxes that you have a part in, one a line",
		Example: "  lockbox box list",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			boxes, err := server.ListBoxes(ctx)
			if err != nil {
				return err
			}
			return s.showList(boxes)
		}),
	}
}
