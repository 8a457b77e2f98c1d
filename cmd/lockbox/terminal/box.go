package terminal

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func boxCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "box",
		Short: "Look after boxes and who is in them",
	}
	command.AddCommand(boxListCommand(s), boxCreateCommand(s), boxShowCommand(s), boxDeleteCommand(s),
		boxTransferCommand(s),
		boxUserCommand(s), boxPermissionsCommand(s))
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

func boxCreateCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "create BOX",
		Short:   "Make a box, whose owner you are",
		Example: "  lockbox box create prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if err := server.CreateBox(ctx, args[0]); err != nil {
				return err
			}
			s.say("The box %s is made.", args[0])
			return nil
		}),
		ValidArgsFunction: cobra.NoFileCompletions,
	}
}

func boxShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "show BOX",
		Short:   "Show a box, its users and how many entries it has",
		Example: "  lockbox box show prod\n  lockbox box show prod -o json | jq -r '.entries[]'",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			box, err := server.DescribeBox(ctx, args[0])
			if err != nil {
				return err
			}
			if s.output == formJSON {
				return s.showJSON(box)
			}
			err = s.show(box, nil, func(add func(...string)) {
				add("name", box.Name)
				add("id", box.ID)
				add("owner", box.Owner)
				add("created", when(box.CreatedAt))
				add("updated", when(box.UpdatedAt))
				add("entries", entriesOf(box))
				add()
			})
			if err != nil {
				return err
			}
			return s.showMembers(box.Users)
		}),
		ValidArgsFunction: first(s.completeBoxes()),
	}
}

// entriesOf counts what is seen: to a user without readEntryKeys every box looks empty.
func entriesOf(box *client.Box) string {
	if len(box.Entries) == 0 {
		return "none that you may list"
	}
	return strconv.Itoa(len(box.Entries))
}

func boxDeleteCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "delete BOX",
		Short: "Delete a box with all its entries, at once and for ever",
		Long: `Delete a box with all its entries and their versions, at once and for ever. It asks first; where nobody can be asked, it
wants --yes.`,
		Example: "  lockbox box delete old\n  lockbox box delete old --yes",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if !yes {
				box, err := server.DescribeBox(ctx, args[0])
				if err != nil {
					return err
				}
				err = sure(ctx, false, "Delete the box %s of %s with all its entries, for ever?", box.Name, box.Owner)
				if err != nil {
					return err
				}
			}
			return server.DeleteBox(ctx, args[0])
		}),
		ValidArgsFunction: first(s.completeBoxes()),
	}
	yesFlag(command, &yes)
	return command
}

func boxTransferCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "transfer BOX USER",
		Short: "Make another user of a box its owner",
		Long: "Make another active user of a box its owner and a boxadmin. The former owner stays in the box, as " +
			"a boxadmin.",
		Example: "  lockbox box transfer prod anna",
		Args:    cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.TransferBox(ctx, args[0], args[1])
		}),
		ValidArgsFunction: inTurn(s.completeBoxes(), s.completeMembers()),
	}
}
