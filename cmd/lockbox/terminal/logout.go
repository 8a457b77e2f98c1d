package terminal

import (
	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// logoutCommand deletes the token of a profile locally. It does not call the server, so it also works offline. The
// command does not revoke the token. The token may be an API key that other programs use. It warns about an API key,
// because an API key can stay valid permanently. It does not warn about a session, because every session expires.
func logoutCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "Remove the token of a profile from this machine",
		Long: `Remove the token of a profile from this machine. The profile keeps the address of the server and the
location of the encryption key. The token stays valid on the server until it expires: to revoke all your sessions
there, use lockbox users revoke.`,
		Example: "  lockbox logout\n  lockbox logout --profile prod",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := s.selectProfile(); err != nil {
				return err
			}
			path, err := profile.Path()
			if err != nil {
				return err
			}
			var old profile.Profile
			err = profile.Change(path, func(book *profile.Book) error {
				// A missing profile is not an error, because there is no token to remove.
				if stored, exists := book.Profiles[s.name]; exists {
					old, book.Profiles[s.name] = stored, stored.SignedOut()
				}
				return nil
			})
			if err == nil {
				s.warnOfValidKey(old)
				s.reportUnlocked(old)
			}
			return err
		},
	}
}

// reportUnlocked reminds the user of an identity that stays unlocked on this machine.
func (s *session) reportUnlocked(old profile.Profile) {
	store, err := profile.Identities()
	if err != nil || old.URL == "" {
		return
	}
	if _, ok, _ := store.Load(canonicalURL(old.URL), old.Username); ok {
		s.report("Your identity stays unlocked on this machine. To remove it, sign in and run: lockbox identity lock")
	}
}
