package terminal

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

func profileCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "profile",
		Short: "Look after the servers that you signed in to",
	}
	command.AddCommand(profileListCommand(s), profileUseCommand(s), profileDeleteCommand(s))
	return command
}

// profileLine is what is shown of a profile: nothing secret.
type profileLine struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Username string `json:"username"`
	Current  bool   `json:"current"`
	SignedIn bool   `json:"signedIn"`
	// ExpiresAt is when the token ends; left out when it never does, or is taken anew when it does.
	ExpiresAt string `json:"expiresAt,omitempty"`
}

func profileListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the profiles; the current one has a star",
		Example: "  lockbox profile list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := s.choose(); err != nil {
				return err
			}
			lines := []profileLine{}
			for _, name := range s.book.Names() {
				lines = append(lines, lineOf(name, s.book.Profiles[name], name == s.name))
			}
			return s.show(lines, []string{"", "NAME", "SERVER", "USER", "SIGNED IN"}, func(add func(...string)) {
				for _, line := range lines {
					star := " "
					if line.Current {
						star = "*"
					}
					add(star, line.Name, line.URL, line.Username, signedIn(s.book.Profiles[line.Name]))
				}
			})
		},
	}
}

func lineOf(name string, kept profile.Profile, current bool) profileLine {
	line := profileLine{
		Name:     name,
		URL:      kept.URL,
		Username: kept.Username,
		Current:  current,
		SignedIn: kept.SignedIn() && !ended(kept),
	}
	if !kept.ExpiresAt.IsZero() && kept.RefreshToken == "" {
		line.ExpiresAt = kept.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return line
}

// ended reports whether the token of a profile is of no use any more.
func ended(kept profile.Profile) bool {
	return kept.RefreshToken == "" && !kept.ExpiresAt.IsZero() && time.Until(kept.ExpiresAt) <= 0
}

func signedIn(kept profile.Profile) string {
	switch {
	case !kept.SignedIn():
		return "no"
	case kept.RefreshToken != "" || kept.ExpiresAt.IsZero():
		return "yes"
	case ended(kept):
		return "ended " + when(kept.ExpiresAt)
	}
	return "until " + when(kept.ExpiresAt)
}

func profileUseCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "use NAME",
		Short:   "Make a profile the current one",
		Example: "  lockbox profile use prod",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return changeProfile(args[0], func(book *profile.Book) { book.Current = args[0] })
		},
		ValidArgsFunction: first(s.completeProfiles),
	}
}

func profileDeleteCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Forget a profile, with its token",
		Long: `Forget a profile, with its token. On the server nothing changes: lockbox users revoke ends the sessions there, lockbox
api-keys delete an API key.`,
		Example: "  lockbox profile delete old",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return changeProfile(args[0], func(book *profile.Book) {
				delete(book.Profiles, args[0])
				if book.Current == args[0] {
					book.Current = ""
				}
			})
		},
		ValidArgsFunction: first(s.completeProfiles),
	}
}

// changeProfile changes the book about a profile that must be in it.
func changeProfile(name string, change func(*profile.Book)) error {
	path, err := profile.Path()
	if err != nil {
		return err
	}
	return profile.Change(path, func(book *profile.Book) error {
		if _, known := book.Profiles[name]; !known {
			return &exitError{fmt.Errorf("there is no profile %q: lockbox profile list shows those there are", name),
				exitNotFound}
		}
		change(book)
		return nil
	})
}
