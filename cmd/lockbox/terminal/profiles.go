package terminal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// profileCommand is the parent of the commands for profiles. None of these commands sends a request. The package
// profile documents the profile file.
func profileCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "profile",
		Short: "Manage the stored servers and accounts",
		Long: `Manage profiles, which lockbox login creates. A profile is a server and your account there. Commands
use the current profile unless --profile or the environment names another one.`,
		Example: "  lockbox profile list\n  lockbox profile use prod",
	}
	command.AddCommand(profileListCommand(s), profileUseCommand(s), profileGrantCommand(s), profileDeleteCommand(s))
	return command
}

// profileLine is the output of profile list for one profile. It contains no secret.
type profileLine struct {
	Name     string `json:"name"`
	URL      string `json:"url"`
	Username string `json:"username"`
	// Current reports whether commands use the profile by default.
	Current bool `json:"current"`
	// SignedIn reports whether there is a token that has not expired.
	SignedIn bool `json:"signedIn"`
	// ExpiresAt is when the token expires. It is absent if the token never expires or is refreshed automatically.
	ExpiresAt string `json:"expiresAt,omitempty"`
}

// profileListCommand lists the profiles without their tokens. With --output json it prints an array of profileLine.
func profileListCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the profiles and mark the current one with a star",
		Long: `List the profiles with their servers and users, and whether you are signed in there. A star marks the
current profile. The command does not contact any server.`,
		Example: "  lockbox profile list",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := s.selectProfile(); err != nil {
				return err
			}
			if s.profileErr != nil {
				return s.profileErr
			}
			// Use an empty slice instead of nil, so that the JSON output without profiles is [].
			lines := []profileLine{}
			for _, name := range s.book.Names() {
				lines = append(lines, newProfileLine(name, s.book.Profiles[name], name == s.name))
			}
			return s.show(lines, []string{"", "NAME", "SERVER", "USER", "SIGNED IN"}, func(add func(...string)) {
				for _, line := range lines {
					star := " "
					if line.Current {
						star = "*"
					}
					add(star, line.Name, line.URL, line.Username, signedInText(s.book.Profiles[line.Name]))
				}
			})
		},
	}
}

// newProfileLine returns the public part of a profile. SignedIn is false if the token has expired.
func newProfileLine(name string, stored profile.Profile, current bool) profileLine {
	line := profileLine{
		Name:     name,
		URL:      stored.URL,
		Username: stored.Username,
		Current:  current,
		SignedIn: stored.SignedIn() && !tokenExpired(stored),
	}
	// Omit the expiry of a token that is refreshed automatically, because it would only confuse users.
	if !stored.ExpiresAt.IsZero() && stored.RefreshToken == "" {
		line.ExpiresAt = stored.ExpiresAt.UTC().Format(time.RFC3339)
	}
	return line
}

// tokenExpired reports whether the token of a profile has expired and cannot be refreshed. It uses the local clock,
// which may be wrong. Only profile list calls tokenExpired, because this command sends no request. All other commands
// send the token, and the server decides whether it has expired.
func tokenExpired(stored profile.Profile) bool {
	return stored.RefreshToken == "" && !stored.ExpiresAt.IsZero() && time.Until(stored.ExpiresAt) <= 0
}

// signedInText states whether a profile has a token, and when the token expires.
func signedInText(stored profile.Profile) string {
	switch {
	case !stored.SignedIn():
		return "no"
	// Only the server knows the lifetime of a refresh token.
	case stored.RefreshToken != "" || stored.ExpiresAt.IsZero():
		return "yes"
	case tokenExpired(stored):
		return "expired " + formatTime(stored.ExpiresAt)
	}
	return "until " + formatTime(stored.ExpiresAt)
}

// profileUseCommand changes the current profile. The exit code is exitNotFound if the profile does not exist.
func profileUseCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "use NAME",
		Short: "Make a profile the current one",
		Long: "Make a profile the current one. " +
			"Commands use this profile unless --profile or the environment names another profile.",
		Example: "  lockbox profile use prod",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			return changeProfile(args[0], func(book *profile.Book) { book.Current = args[0] })
		},
		ValidArgsFunction: completeFirst(s.completeProfiles),
	}
}

// profileDeleteCommand deletes a profile. After the current profile is deleted, there is no current profile, and
// commands use the profile with the name "default".
func profileDeleteCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a profile and its token from this machine",
		Long: `Delete a profile and its token from this machine. Nothing changes on the server: to revoke sessions
there, use lockbox users revoke; to revoke an API key, use lockbox api-keys delete.`,
		Example: "  lockbox profile delete old",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			var old profile.Profile
			err := changeProfile(args[0], func(book *profile.Book) {
				old = book.Profiles[args[0]]
				delete(book.Profiles, args[0])
				// Clear the current profile, because later commands would otherwise select a profile that does not
				// exist.
				if book.Current == args[0] {
					book.Current = ""
				}
			})
			if err == nil {
				s.warnOfValidKey(old)
			}
			return err
		},
		ValidArgsFunction: completeFirst(s.completeProfiles),
	}
}

// profileGrantCommand shows or changes the grant list of a profile. When the caller uses this profile to create a box,
// the users in the list get the key of the box. The command contacts no server, so it does not check the users. Later,
// box create skips users whose fingerprint was never confirmed.
func profileGrantCommand(s *session) *cobra.Command {
	var remove bool
	command := &cobra.Command{
		Use:   "grant [USER …]",
		Short: "Show or change the users who get the key of each new box",
		Long: `Show a list of users. When you create a box with this profile, these users become members and get the
key of the box. With USER, add users to the list, or remove them with --remove. You must have confirmed the
fingerprint of each user on this machine, for example with lockbox box grant. Existing boxes do not change.`,
		Example: "  lockbox profile grant recovery\n  lockbox profile grant anna --remove",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := s.selectProfile(); err != nil {
				return err
			}
			if len(args) == 0 {
				return s.showList(s.selected.Grant)
			}
			return changeProfile(s.name, func(book *profile.Book) {
				stored := book.Profiles[s.name]
				for _, name := range args {
					name = strings.ToLower(name)
					stored.Grant = slices.DeleteFunc(stored.Grant, func(each string) bool { return each == name })
					if !remove {
						stored.Grant = append(stored.Grant, name)
					}
				}
				book.Profiles[s.name] = stored
			})
		},
		ValidArgsFunction: s.completeUsers(),
	}
	command.Flags().BoolVar(&remove, "remove", false, "remove these users instead")
	return command
}

// changeProfile changes the profile file. If the file contains no profile with this name, it returns an error with
// exitNotFound.
func changeProfile(name string, change func(*profile.Book)) error {
	path, err := profile.Path()
	if err != nil {
		return err
	}
	return profile.Change(path, func(book *profile.Book) error {
		if _, exists := book.Profiles[name]; !exists {
			return &exitError{fmt.Errorf("profile %q does not exist: lockbox profile list shows all profiles", name),
				exitNotFound}
		}
		change(book)
		return nil
	})
}
