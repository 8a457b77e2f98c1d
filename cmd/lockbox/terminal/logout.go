package terminal

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

func logoutCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Forget the token of a profile",
		Long: `Forget the token of a profile; the server and where the encryption key is stay known. The token itself goes on being good
until it ends: lockbox users revoke ends all of a user's sessions on the server.`,
		Example: "  lockbox logout\n  lockbox logout --profile prod",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := s.choose(); err != nil {
				return err
			}
			path, err := profile.Path()
			if err != nil {
				return err
			}
			return profile.Change(path, func(book *profile.Book) error {
				if kept, known := book.Profiles[s.name]; known {
					book.Profiles[s.name] = kept.SignedOut()
				}
				return nil
			})
		},
	}
}
