package terminal

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// apiKeysCommand is the parent of the commands for API keys. The commands work on the caller's own keys, but an admin
// can also delete the keys of other users. A key itself is shown only when it is created. After that, commands identify
// the key by its id.
func apiKeysCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "api-keys",
		Short: "Manage the API keys that your programs use to sign in",
		Long: `Manage the API keys that your programs use to sign in. A program that signs in with an API key may do
everything that the user of the key may do, so create a separate user for each program.`,
		Example: "  lockbox api-keys create --name backup --expiry 90d > backup.key\n  lockbox api-keys list",
	}
	command.AddCommand(apiKeysListCommand(s), apiKeysCreateCommand(s), apiKeysDeleteCommand(s))
	return command
}

// apiKeysListCommand lists the usable keys of the caller (GET /api-keys). The list omits expired and revoked keys. With
// --output json the command prints the array that the server returns, with the fields id, name, createdAt, expiresAt
// and lastUsedAt.
func apiKeysListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the ids and expiry times of your usable API keys",
		Long: `List your usable API keys with their ids, names and expiry times. The keys themselves are never shown
again after their creation.`,
		Example: "  lockbox api-keys list",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			keys, err := server.ListAPIKeys(ctx)
			if err != nil {
				return err
			}
			return s.show(keys, []string{"ID", "NAME", "CREATED", "EXPIRES", "LAST USED"}, func(add func(...string)) {
				for _, key := range keys {
					add(key.ID, cmp.Or(key.Name, "-"), formatTime(key.CreatedAt), formatTime(key.ExpiresAt),
						formatTime(key.LastUsedAt))
				}
			})
		}),
	}
}

// apiKeysCreateCommand creates a key for the caller (POST /api-keys). The exit code is exitUsage if --expiry is
// malformed or in the past. With --output json, the command prints {"apiKey":"…"}. If the caller is signed in with an
// API key, the new key expires no later than that API key. Without this limit, a stolen short-lived key could be used
// to create a permanent key.
func apiKeysCreateCommand(s *session) *cobra.Command {
	var options client.APIKeyOptions
	command := &cobra.Command{
		Use:   "create",
		Short: "Create an API key and print it",
		Long: `Create an API key for yourself and print it. Standard output contains the key and nothing else. The
key is not shown again. Without --expiry, the key never expires. If you are signed in with an API key, the new key
expires no later than the API key that you are signed in with.`,
		Example: `  lockbox api-keys create --name backup --expiry 90d > backup.key
  lockbox api-keys create --name ci --expiry 10d12h`,
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			key, err := server.IssueAPIKey(ctx, &options)
			if err != nil {
				return err
			}
			return s.showAPIKey(key)
		}),
	}
	command.Flags().StringVar(&options.Name, "name", "", "name that distinguishes the key from your other keys")
	command.Flags().StringVar(&options.Expiry, "expiry", "",
		"when the key expires: a duration such as 90d, 2w or 12h, or a time such as 2027-01-01T00:00:00Z")
	return command
}

// apiKeysDeleteCommand revokes a key (DELETE /api-keys/{apiKey}). The exit code is exitNotFound if the id is unknown,
// and exitConflict if the key is the last usable key of its user. The argument may also be the complete API key, which
// contains the id. The client sends only the id. The command does not ask for confirmation, because a leaked key must
// be revoked quickly. The command prints nothing.
func apiKeysDeleteCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID",
		Short: "Revoke an API key by its id",
		Long: `Revoke an API key by its id, which lockbox api-keys list shows. The command does not ask for
confirmation. The server refuses the key from the next request on. Your last usable key cannot be revoked. Admins may
revoke the keys of other users.`,
		Example: "  lockbox api-keys list\n  lockbox api-keys delete 0199a1b2-…",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.RevokeAPIKey(ctx, args[0])
		}),
		ValidArgsFunction: completeFirst(s.completeAPIKeys()),
	}
}

// completeAPIKeys offers the ids of the caller's API keys. Each id has the name of the key as its description, because
// a user cannot recognize a random id.
func (s *session) completeAPIKeys() cobra.CompletionFunc {
	return s.complete(func(ctx context.Context, server *client.Client, _ string) ([]string, error) {
		keys, err := server.ListAPIKeys(ctx)
		words := make([]string, len(keys))
		for i, key := range keys {
			words[i] = cobra.CompletionWithDesc(key.ID, cmp.Or(key.Name, "unnamed"))
		}
		return words, err
	})
}
