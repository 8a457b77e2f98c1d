package terminal

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// completionTimeout limits how long the shell waits after a user presses Tab.
const completionTimeout = 2 * time.Second

// complete returns a completion function that asks the server for candidates. After an error, the function returns no
// candidates. It prints nothing, because output would corrupt the line that the user is typing.
func (s *session) complete(candidates func(ctx context.Context, server *client.Client, toComplete string) ([]string,
	error)) cobra.CompletionFunc {
	return s.completeAfter(func(ctx context.Context, server *client.Client, _ []string, toComplete string) ([]string,
		error) {
		return candidates(ctx, server, toComplete)
	})
}

// completeAfter is like complete, but the candidates may depend on the preceding arguments of the command.
func (s *session) completeAfter(candidates func(ctx context.Context, server *client.Client, args []string,
	toComplete string) ([]string, error)) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(command.Context(), completionTimeout)
		defer cancel()
		server, err := s.open(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		words, err := candidates(ctx, server, args, toComplete)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		// Shells print candidates unchanged, so drop candidates with control or invisible characters. A tab is allowed,
		// because it separates a candidate from its description.
		words = slices.DeleteFunc(words, func(word string) bool { return replaceUnsafe(word, "\t") != word })
		// After BOX/ the user continues with a key, so the shell must not add a space.
		directive := cobra.ShellCompDirectiveNoFileComp
		if len(words) > 0 && strings.HasSuffix(words[0], "/") {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		return words, directive
	}
}

// completeFirst completes the first argument only.
func completeFirst(complete cobra.CompletionFunc) cobra.CompletionFunc { return completeEach(complete) }

// completeEach completes each argument with the function at the same position. For further arguments it offers no
// candidates and no file names.
func completeEach(functions ...cobra.CompletionFunc) cobra.CompletionFunc {
	return func(command *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(functions) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return functions[len(args)](command, args, toComplete)
	}
}

// completeBoxes offers the caller's boxes.
func (s *session) completeBoxes() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		return server.ListBoxes(ctx)
	})
}

// completeUsers offers all users of the server. The server lists users only for admins, so other users get no
// candidates.
func (s *session) completeUsers() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		return server.ListUsers(ctx)
	})
}

// completeInvitations offers the user names of open invitations. Only admins get candidates.
func (s *session) completeInvitations() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		open, err := server.ListInvitations(ctx)
		names := make([]string, len(open))
		for i, each := range open {
			names[i] = each.Username
		}
		return names, err
	})
}

// completeMembers offers the users of the box that the first argument names.
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

// completeAddresses offers boxes, and after BOX/ the entries of that box. Each completion fetches the keys of all
// entries in the box. The response is small, because the server limits the number of entries in a box.
func (s *session) completeAddresses() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, toComplete string) ([]string, error) {
		box, prefix, found := strings.Cut(toComplete, "/")
		if !found {
			boxes, err := server.ListBoxes(ctx)
			for i := range boxes {
				boxes[i] += "/"
			}
			return boxes, err
		}
		// Fetch the keys of all entries, and compare the prefix here. The server would ignore the letter case of the
		// prefix, but shells need candidates that begin with the typed text.
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

// completeAddressThenFile completes an address as the first argument. The second argument is a file name, which the
// shell completes itself.
func completeAddressThenFile(s *session) cobra.CompletionFunc {
	addresses := s.completeAddresses()
	return func(command *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return addresses(command, args, toComplete)
	}
}

// completeProfiles offers the names in the profile file. It needs no server.
func (s *session) completeProfiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	if err := s.selectProfile(); err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return s.book.Names(), cobra.ShellCompDirectiveNoFileComp
}
