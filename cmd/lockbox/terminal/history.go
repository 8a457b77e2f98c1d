package terminal

import (
	"cmp"
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// historyCommand lists the versions of an entry (GET /boxes/{box}/entries/{key}/versions). The command decrypts
// nothing, so it needs no encryption key. It needs the permission readEntryKeys. The server keeps only the newest
// versions, ten by default, so version 1 may be missing.
func historyCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "history BOX/KEY",
		Short: "List the versions of an entry, newest first",
		Long: `List the versions of an entry that the server still holds, newest first, with their authors and times.
For a deleted entry, the command lists the versions that can be restored. None of these is the current version.`,
		Example:           "  lockbox history prod/app",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFirst(s.completeAddresses()),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			at, err := parseAddress(args[0])
			if err != nil {
				return err
			}
			versions, err := server.ListVersions(ctx, at.box, at.key)
			if err != nil {
				return err
			}
			return s.show(versions, []string{"VERSION", "AUTHOR", "CREATED", "CURRENT"},
				func(add func(cells ...string)) {
					for _, version := range versions {
						// At most one version is current. A deleted entry has no current version.
						current := ""
						if version.Current {
							current = "current"
						}
						add(strconv.FormatUint(version.Version, 10), cmp.Or(version.Author, "-"),
							formatTime(version.CreatedAt), current)
					}
				})
		}),
	}
}
