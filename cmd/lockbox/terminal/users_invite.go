package terminal

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
)

// usersInviteCommand makes an invitation (POST /invitations) and prints the command line that the invited user runs.
// The exit code is exitConflict if the name is taken. With --output json it prints an inviteResult.
func usersInviteCommand(s *session) *cobra.Command {
	var invitation client.NewInvitation
	var url string
	command := &cobra.Command{
		Use:   "invite USER",
		Short: "Invite a user, who chooses the password (admins)",
		Long: `Invite a user and print a line for you to send to that person. The person pastes the line into a shell
on a machine with lockbox, and chooses a password, which only that person knows. The line contains the address of the
server and a code. The code works once and expires; until then it is as secret as a password. A new invitation
replaces an earlier one for the same name.

The line contains the address under which you reach the server. If the person reaches the server under another
address, set that address with --url. The command warns if the address is plain HTTP to another machine.`,
		Example: `  lockbox users invite anna
  lockbox users invite boris --role admin --expiry P1D
  lockbox users invite carla --url https://lockbox.example.org`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			address, err := checkInvitationURL(cmp.Or(url, server.URL()))
			if err != nil {
				return err
			}
			s.warnOfPlainHTTP(address)
			invitation.Username = args[0]
			made, err := server.InviteUser(ctx, invitation)
			if err != nil {
				return err
			}
			return s.showInvitation(address, made)
		}),
	}
	addRoleFlag(command, &invitation.Role, "user or admin (default user)")
	command.Flags().StringVar(&invitation.Expiry, "expiry", "",
		"when the invitation expires: d:hh:mm:ss from now, an ISO 8601 duration such as P1D, or a time (default P7D)")
	command.Flags().StringVar(&url, "url", "", "URL under which the invited user reaches the server")
	return command
}

// inviteResult is a new invitation.
type inviteResult struct {
	Username  string    `json:"username"`
	Role      string    `json:"role"`
	URL       string    `json:"url"`
	Command   string    `json:"command"`
	ExpiresAt time.Time `json:"expiresAt"`
}

// showInvitation prints only the command line to standard output, so that the user can pipe the output into a mail
// program.
func (s *session) showInvitation(address string, made *client.InvitationCode) error {
	result := inviteResult{
		Username:  made.Username,
		Role:      made.Role,
		URL:       address,
		Command:   "lockbox join " + joinText(address, made.Code),
		ExpiresAt: made.ExpiresAt,
	}
	if err := s.show(result, nil, func(add func(...string)) { add(result.Command) }); err != nil {
		return err
	}
	s.report("Send this line to %s. The line works only once, and only until %s.", made.Username,
		formatTime(made.ExpiresAt))
	if isLocal(address) {
		s.report("The invitation works only on this machine, because the address of the server is %s. "+
			"Use --url for another address.", address)
	}
	return nil
}

// usersInvitationsCommand lists the invitations (GET /invitations). With --output json it prints the array that the
// server returned.
func usersInvitationsCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "invitations",
		Short: "List the invitations (admins)",
		Long: `List the invitations that have not been accepted or revoked and have not expired. Their codes are not
shown. The state of an invitation is open, or the reason why the invitation does not work at present. The state
name-taken means that a user has the name. The state inviter-not-admin means that the admin who made the invitation has
been deactivated or is no longer an admin. Revoke an invitation with lockbox users uninvite.`,
		Example: "  lockbox users invitations",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			open, err := server.ListInvitations(ctx)
			if err != nil {
				return err
			}
			return s.show(open, []string{"USER", "ROLE", "INVITED BY", "INVITED", "EXPIRES", "STATE"},
				func(add func(...string)) {
					for _, each := range open {
						add(each.Username, each.Role, each.InvitedBy, formatTime(each.CreatedAt),
							formatTime(each.ExpiresAt), each.State)
					}
				})
		}),
	}
}

// usersUninviteCommand revokes an invitation (DELETE /invitations/{username}). The exit code is exitNotFound if the
// name has no invitation. The command asks for no confirmation, because an invitation that reached the wrong person
// must be revoked quickly.
func usersUninviteCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "uninvite USER",
		Short: "Revoke an open invitation (admins)",
		Long: "Revoke the open invitation for a user name. " +
			"To delete a user who has joined, run lockbox users delete.",
		Example: "  lockbox users uninvite anna",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			return server.RevokeInvitation(ctx, args[0])
		}),
		ValidArgsFunction: completeFirst(s.completeInvitations()),
	}
}
