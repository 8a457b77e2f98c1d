package terminal

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// dropletCommand is the parent of the commands for droplets. The commands use the accounts API (/api/v1). This API
// checks the caller's group and ignores the caller's role. The exit code is exitForbidden if the caller's group is too
// low, and exitUnavailable if the server has no Docker engine. Each response to these commands contains all droplets,
// even if the command changes only one droplet.
func dropletCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "droplet",
		Short: "Manage droplets: containers that behave like small servers",
		Long: `Manage droplets: containers that behave like small servers and that you reach with SSH. Viewers may
list droplets; managers may also add, start, stop and delete them. The server needs a Docker engine.`,
		Example: "  lockbox droplet add --key-file ~/.ssh/droplet\n  lockbox droplet list",
	}
	command.AddCommand(
		dropletListCommand(s),
		dropletAddCommand(s),
		dropletActionCommand(s, "start", "Start a droplet", (*client.Client).StartDroplet),
		dropletActionCommand(s, "stop", "Stop a droplet", (*client.Client).StopDroplet),
		dropletActionCommand(s, "restart", "Stop and start a droplet", (*client.Client).RestartDroplet),
		dropletDeleteCommand(s),
	)
	return command
}

// showDroplets prints droplets in the order in which the server returns them. It does not parse times and states, but
// prints the text from the server.
func (s *session) showDroplets(droplets []client.Droplet) error {
	return s.show(droplets, []string{"NAME", "ID", "CREATED", "STATUS", "PORTS"}, func(add func(...string)) {
		for _, droplet := range droplets {
			add(droplet.Name, droplet.ID, droplet.Created, droplet.Status, cmp.Or(formatPorts(droplet.Ports), "-"))
		}
	})
}

// formatPorts returns the ports of a droplet as HOST:PORT->CONTAINER_PORT, sorted by the port in the container.
func formatPorts(ports map[string]client.Port) string {
	// The ports are strings, because they are the keys of a JSON object. Compare them as numbers, so that 443 comes
	// after 80.
	texts := slices.SortedFunc(maps.Keys(ports), func(one, other string) int {
		a, _ := strconv.Atoi(one)
		b, _ := strconv.Atoi(other)
		return cmp.Compare(a, b)
	})
	for i, port := range texts {
		from := ports[port].From
		texts[i] = fmt.Sprintf("%s:%d->%s", from.IP, from.Port, port)
	}
	return strings.Join(texts, " ")
}

// dropletListCommand lists all droplets (GET /api/v1/droplet/list). The caller needs at least the group viewer.
func dropletListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all droplets, newest first (for viewers)",
		Long:    "List all droplets with their status and ports, newest first. You need at least the group \"viewer\".",
		Example: "  lockbox droplet list",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			droplets, err := server.ListDroplets(ctx)
			if err != nil {
				return err
			}
			return s.showDroplets(droplets)
		}),
	}
}

// dropletActionCommand returns a command that calls the function action for one droplet and then prints all droplets.
// The caller needs at least the group manager. The exit code is exitNotFound if the droplet does not exist.
func dropletActionCommand(s *session, verb, short string,
	action func(*client.Client, context.Context, string) ([]client.Droplet, error)) *cobra.Command {
	// The help texts of the actions differ only in the verb.
	return &cobra.Command{
		Use:     verb + " DROPLET",
		Short:   short + " and list all droplets (for managers)",
		Long:    short + " and list all droplets with their status. You need at least the group \"manager\".",
		Example: "  lockbox droplet " + verb + " droplet01",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			droplets, err := action(server, ctx, args[0])
			if err != nil {
				return err
			}
			return s.showDroplets(droplets)
		}),
		ValidArgsFunction: completeFirst(s.completeDroplets()),
	}
}

// dropletDeleteCommand deletes a droplet (DELETE /api/v1/droplet/delete/{droplet}). Without --yes, it asks for
// confirmation. If there is no terminal for the question, it deletes nothing and the exit code is exitUsage. The server
// also deletes the entry that contains the private key. However, it keeps an entry that was changed after the droplet
// was added.
func dropletDeleteCommand(s *session) *cobra.Command {
	var yes bool
	// Ask for confirmation inside the action, so that a user who is not signed in gets an error instead of a question.
	command := dropletActionCommand(s, "delete", "Delete a droplet with all its data",
		func(server *client.Client, ctx context.Context, name string) ([]client.Droplet, error) {
			if err := confirm(ctx, yes, "Permanently delete droplet %s and all its data?", name); err != nil {
				return nil, err
			}
			return server.DeleteDroplet(ctx, name)
		})
	command.Long = `Delete a droplet and all its data. This cannot be undone. The entry that holds its private key
is deleted too, unless the entry was changed. The command asks for confirmation; scripts must use --yes.`
	command.Example += "\n  lockbox droplet delete droplet01 --yes"
	addYesFlag(command, &yes)
	return command
}

// completeDroplets offers the names of all droplets.
func (s *session) completeDroplets() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		droplets, err := server.ListDroplets(ctx)
		names := make([]string, len(droplets))
		for i, droplet := range droplets {
			names[i] = droplet.Name
		}
		return names, err
	})
}
