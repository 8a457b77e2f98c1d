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

func dropletCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "droplet",
		Short: "Look after droplets: containers that behave like small servers",
	}
	command.AddCommand(dropletListCommand(s), dropletAddCommand(s),
		s.dropletChange("start", "Start a droplet", (*client.Client).StartDroplet),
		s.dropletChange("stop", "Stop a droplet", (*client.Client).StopDroplet),
		s.dropletChange("restart", "Stop a droplet and start it again", (*client.Client).RestartDroplet),
		dropletDeleteCommand(s))
	return command
}

func (s *session) showDroplets(droplets []client.Droplet) error {
	return s.show(droplets, []string{"NAME", "ID", "CREATED", "STATUS", "PORTS"}, func(add func(...string)) {
		for _, droplet := range droplets {
			add(droplet.Name, droplet.ID, droplet.Created, droplet.Status, cmp.Or(portsText(droplet.Ports), "-"))
		}
	})
}

// portsText is the ports of a droplet in their order, each with where it is reached.
func portsText(ports map[string]client.Port) string {
	inside := slices.SortedFunc(maps.Keys(ports), func(one, other string) int {
		a, _ := strconv.Atoi(one)
		b, _ := strconv.Atoi(other)
		return cmp.Compare(a, b)
	})
	for i, port := range inside {
		from := ports[port].From
		inside[i] = fmt.Sprintf("%s:%d->%s", from.IP, from.Port, port)
	}
	return strings.Join(inside, " ")
}

func dropletListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List all droplets, newest first; for viewers",
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

// dropletChange is a command that changes one droplet and lists them all, as the server answers it.
func (s *session) dropletChange(verb, short string,
	change func(*client.Client, context.Context, string) ([]client.Droplet, error)) *cobra.Command {
	return &cobra.Command{
		Use:     verb + " DROPLET",
		Short:   short + ", and list them all; for managers",
		Example: "  lockbox droplet " + verb + " droplet01",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			droplets, err := change(server, ctx, args[0])
			if err != nil {
				return err
			}
			return s.showDroplets(droplets)
		}),
		ValidArgsFunction: first(s.completeDroplets()),
	}
}

func dropletDeleteCommand(s *session) *cobra.Command {
	var yes bool
	command := s.dropletChange("delete", "Delete a droplet with all that is on it",
		func(server *client.Client, ctx context.Context, name string) ([]client.Droplet, error) {
			if err := sure(ctx, yes, "Delete the droplet %s with all that is on it, for ever?", name); err != nil {
				return nil, err
			}
			return server.DeleteDroplet(ctx, name)
		})
	command.Long = `Delete a droplet with all that is on it, for ever, and the entry with its private key if nobody changed that. It asks
first; where nobody can be asked, it wants --yes.`
	command.Example += "\n  lockbox droplet delete droplet01 --yes"
	yesFlag(command, &yes)
	return command
}

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
