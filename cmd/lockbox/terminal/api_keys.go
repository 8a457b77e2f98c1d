package terminal

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

func apiKeysCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "api-keys",
		Short: "Look after your API keys, which programs sign in with",
	}
	command.AddCommand(apiKeysListCommand(s), apiKeysCreateCommand(s), apiKeysDeleteCommand(s))
	return command
}

func apiKeysListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List your usable API keys; the keys themselves are not shown",
		Example: "  lockbox api-keys list",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			keys, err := server.ListAPIKeys(ctx)
			if err != nil {
				return err
			}
			return s.show(keys, []string{"ID", "NAME", "CREATED", "EXPIRES", "LAST USED"}, func(add func(...string)) {
				for _, key := range keys {
					add(key.ID, cmp.Or(key.Name, "-"), when(key.CreatedAt), when(key.ExpiresAt), when(key.LastUsedAt))
				}
			})
		}),
	}
}

func apiKeysCreateCommand(s *session) *cobra.Command {
	var options client.APIKeyOptions
	command := &cobra.Command{
		Use:   "create",
		Short: "Make another API key of yours, and print it",
		Long: `Make another API key of yours, and print it, this once and alone on standard output. Without --expiry it never ends, or
ends with the API key that makes it.`,
		Example: `  lockbox api-keys create --name backup --expiry P90D > backup.key
  lockbox api-keys create --name ci --expiry 10:12:10:00      # 10 days, 12 hours and 10 minutes`,
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			key, err := server.IssueAPIKey(ctx, &options)
			if err != nil {
				return err
			}
			return s.showAPIKey(key)
		}),
	}
	command.Flags().StringVar(&options.Name, "name", "", "a name, to tell keys apart")
	command.Flags().StringVar(&options.Expiry, "expiry", "",
		"when it ends: d:hh:mm:ss from now, an ISO 8601 duration such as P90D, or an instant such as "+
			"2027-01-01T00:00:00Z")
	return command
}

func apiKeysDeleteCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "End an API key, by its id from the list",
		Long: `End an API key, by its id from the list; admins may end anybody's. It counts from the next request on and does not ask. Your
last usable key stays.`,
		Example: "  lockbox api-keys list\n  lockbox api-keys delete 0199a1b2-…",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.RevokeAPIKey(ctx, args[0])
		}),
		ValidArgsFunction: first(s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string,
			error) {
			keys, err := server.ListAPIKeys(ctx)
			words := make([]string, len(keys))
			for i, key := range keys {
				words[i] = cobra.CompletionWithDesc(key.ID, cmp.Or(key.Name, "without a name"))
			}
			return words, err
		})),
	}
}
