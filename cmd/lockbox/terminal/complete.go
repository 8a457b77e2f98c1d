package terminal

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// completionTime bounds what somebody who pressed Tab waits for.
const completionTime = 2 * time.Second

// complete asks the server what a word can become. Whatever goes wrong, it is silent: a completion that prints an error
// spoils the line that is being typed.
func (s *session) complete(ask func(ctx context.Context, server *client.Client, begun string) ([]string,
	error)) cobra.CompletionFunc {
	return s.completeAfter(func(ctx context.Context, server *client.Client, _ []string, begun string) ([]string,
		error) {
		return ask(ctx, server, begun)
	})
}

// completeAfter is complete for a word that depends on the arguments before it.
func (s *session) completeAfter(ask func(ctx context.Context, server *client.Client, args []string,
	begun string) ([]string, error)) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(command.Context(), completionTime)
		defer cancel()
		server, err := s.open(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words, err := ask(ctx, server, args, begun)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// A shell may show what it is given as it is. A tab comes before what is said of a word.
		words = slices.DeleteFunc(words, func(word string) bool { return without(word, "\t") != word })
		directive := cobra.ShellCompDirectiveNoFileComp
		if len(words) > 0 && strings.HasSuffix(words[0], "/") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return words, directive
	}
}

// first completes the first argument alone.
func first(complete cobra.CompletionFunc) cobra.CompletionFunc { return inTurn(complete) }

// inTurn completes each argument in a way of its own.
func inTurn(each ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return each[len(args)](command, args, begun)
	}
}

func (s *session) completeBoxes() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		return server.ListBoxes(ctx)
	})
}

func (s *session) completeUsers() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		return server.ListUsers(ctx)
	})
}

// completeMembers offers the users of the box that is the argument before.
func (s *session) completeMembers() cobra.CompletionFunc {
	return s.completeAfter(func(ctx context.Context, server *client.Client, args []string, _ string) ([]string, error) {
		box, err := server.DescribeBox(ctx, args[0])
		if err != nil {
			return nil, err
		}
		names := make([]string, len(box.Users))
		for i, user := range box.Users {
			names[i] = user.Username
		}
		return names, nil
	})
}

// completeAddresses offers boxes, and the entries of a box once its name is there.
func (s *session) completeAddresses() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, begun string) ([]string, error) {
		box, prefix, found := strings.Cut(begun, "/")
		if !found {
			boxes, err := server.ListBoxes(ctx)
			for i := range boxes {
				boxes[i] += "/"
			}
			return boxes, err
		}
		// What is typed may end within a segment, where no prefix of keys can.
		keys, err := server.ListEntries(ctx, box, "")
		words := make([]string, 0, len(keys))
		for _, key := range keys {
			if strings.HasPrefix(key, prefix) {
				words = append(words, box+"/"+key)
			}
		}
		return words, err
	})
}

func (s *session) completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	if err := s.choose(); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.book.Names(), cobra.ShellCompDirectiveNoFileComp
}
