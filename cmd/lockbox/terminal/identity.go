package terminal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// identityCommand is the parent of the commands for identities. An identity is the key pair of a user. The keyring of a
// box contains the box key once for each recipient, encrypted for the identity of that recipient.
func identityCommand(s *session) *cobra.Command {
	command := &cobra.Command{
		Use:   "identity",
		Short: "Manage your identity, which opens the keys of boxes",
		Long: `Manage your identity: a key pair that opens the keys of boxes. With an identity, you need no
encryption key for boxes that have a keyring. The server keeps the public key. It keeps the identity itself only
locked under a passphrase, which the server never receives.

An unlocked identity is a file in your configuration directory that only you can read. Programs get theirs from
LOCKBOX_IDENTITY or LOCKBOX_IDENTITY_FILE.`,
		Example: "  lockbox identity create\n  lockbox identity unlock           # on another machine",
	}
	command.AddCommand(
		identityCreateCommand(s),
		identityShowCommand(s),
		identityUnlockCommand(s),
		identityLockCommand(s),
		identityRotateCommand(s),
		identityPassphraseCommand(s),
		identityExportCommand(s),
		identityImportCommand(s),
		identityRecoverCommand(s),
		identityForgetCommand(s),
	)
	return command
}

// shownIdentity is the output of identity show.
type shownIdentity struct {
	User        string `json:"user"`
	Fingerprint string `json:"fingerprint"`
	Public      string `json:"public"`
	CreatedAt   string `json:"createdAt"`
	// Unlocked reports whether this machine holds the unlocked identity. Locked reports whether the server keeps a
	// locked copy. In the output for another user, these two fields are absent.
	Unlocked *bool `json:"unlocked,omitempty"`
	Locked   *bool `json:"locked,omitempty"`
	// Confirmed reports whether the fingerprint of another user was confirmed on this machine.
	Confirmed *bool `json:"confirmed,omitempty"`
}

// identityShowCommand shows the identity of the caller or of another user (GET /users/{username}/identity). If the
// identity of the caller is unlocked on this machine, the command also computes its fingerprint. It prints a warning if
// the server reports a different fingerprint.
func identityShowCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "show [USER]",
		Short: "Show your fingerprint, or that of another user",
		Long: `Show your identity and its fingerprint. Colleagues compare the fingerprint before they give you access
to a box. If the identity is unlocked on this machine, the command checks the fingerprint that the server
reports.

With USER, show the fingerprint that the server reports for another user, and whether you have confirmed it.`,
		Example: "  lockbox identity show\n  lockbox identity show anna",
		Args:    cobra.MaximumNArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if len(args) == 1 {
				return s.showIdentityOf(ctx, server, args[0])
			}
			return s.showOwnIdentity(ctx, server)
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
}

// showOwnIdentity implements identityShowCommand for the caller.
func (s *session) showOwnIdentity(ctx context.Context, server *client.Client) error {
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	found, err := server.DescribeIdentity(ctx, who.Username)
	if errors.Is(err, client.ErrNotFound) {
		return &exitError{errors.New("you have no identity: create one with lockbox identity create"), exitNotFound}
	}
	if err != nil {
		return err
	}
	id, _, err := s.identity(ctx, server)
	if err != nil {
		return err
	}
	public, err := keys.ParsePublicKey(found.Public)
	if err != nil {
		return err
	}
	unlocked := id != nil && id.Fingerprint() == public.Fingerprint()
	shown := identityOutput(who.Username, public, found.CreatedAt)
	shown.Unlocked, shown.Locked = &unlocked, &found.Locked
	if id != nil && !unlocked {
		s.warn("this machine and the server have different identities for you: "+
			"the identity on this machine has the fingerprint %s; "+
			"if you replaced your identity on another machine, run lockbox identity unlock",
			id.Fingerprint().Display())
	}
	return s.showIdentity(shown)
}

// showIdentityOf implements identityShowCommand for another user.
func (s *session) showIdentityOf(ctx context.Context, server *client.Client, name string) error {
	found, err := server.DescribeIdentity(ctx, name)
	if err != nil {
		return err
	}
	public, err := keys.ParsePublicKey(found.Public)
	if err != nil {
		return err
	}
	shown := identityOutput(found.User, public, found.CreatedAt)
	confirmed := false
	memory, in, err := s.place(ctx, server)
	if err != nil {
		return err
	}
	pinned, ok, err := memory.User(in, strings.ToLower(name))
	if err != nil {
		return err
	}
	for _, each := range pinned.Fingerprints {
		confirmed = confirmed || ok && each == public.Fingerprint()
	}
	shown.Confirmed = &confirmed
	return s.showIdentity(shown)
}

func identityOutput(user string, public keys.PublicKey, createdAt time.Time) shownIdentity {
	return shownIdentity{
		User:        user,
		Fingerprint: public.Fingerprint().Display(),
		Public:      public.String(),
		CreatedAt:   createdAt.UTC().Format(time.RFC3339),
	}
}

// showIdentity prints an identity. The table omits the public key, which has 1678 characters.
func (s *session) showIdentity(shown shownIdentity) error {
	return s.show(shown, nil, func(add func(...string)) {
		add("user", shown.User)
		add("fingerprint", shown.Fingerprint)
		if at, err := time.Parse(time.RFC3339, shown.CreatedAt); err == nil {
			add("created", formatTime(at))
		}
		if shown.Confirmed != nil {
			add("confirmed here", yesNo(*shown.Confirmed))
			return
		}
		add("unlocked here", yesNo(*shown.Unlocked))
		add("locked copy on the server", yesNo(*shown.Locked))
	})
}

func yesNo(yes bool) string {
	if yes {
		return "yes"
	}
	return "no"
}

// place returns the Memory of this user and the id of the server's installation. It returns an error if the Memory has
// recorded a different installation for this URL, or a different URL for this installation.
func (s *session) place(ctx context.Context, server *client.Client) (*keys.Memory, keys.ID, error) {
	memory, err := keys.UserMemory()
	if err != nil {
		return nil, keys.ID{}, err
	}
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return nil, keys.ID{}, err
	}
	in, err := keys.ParseID(who.Installation)
	if err != nil {
		return nil, keys.ID{}, err
	}
	return memory, in, memory.SignIn(server.URL(), in)
}

// identityLockCommand removes the unlocked identity from this machine. If the server keeps no locked copy, the command
// asks for confirmation, because the removed copy could be the last one.
func identityLockCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "lock",
		Short: "Remove your unlocked identity from this machine",
		Long: `Remove your unlocked identity from this machine, for example before you give the machine away. To get
the identity again from the server, use lockbox identity unlock and your unlock passphrase. If the server has no
locked copy, the command asks for confirmation.`,
		Example: "  lockbox identity lock",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			return s.lockIdentity(ctx, server, yes)
		}),
	}
	addYesFlag(command, &yes)
	return command
}

// lockIdentity implements identityLockCommand.
func (s *session) lockIdentity(ctx context.Context, server *client.Client, yes bool) error {
	stored, ok, err := s.storedIdentity(ctx, server)
	if err != nil {
		return err
	}
	if !ok {
		return &exitError{errors.New("there is no unlocked identity on this machine"), exitNotFound}
	}
	found, err := server.DescribeIdentity(ctx, stored.Username)
	if err != nil && !errors.Is(err, client.ErrNotFound) {
		return err
	}
	if found == nil || !found.Locked {
		err := confirm(ctx, yes, "The server has no copy of your identity, so this may be the last copy. Remove it?")
		if err != nil {
			return err
		}
	}
	store, err := profile.Identities()
	if err != nil {
		return err
	}
	if _, err := store.Delete(stored.URL, stored.Username); err != nil {
		return err
	}
	s.report("Removed the identity of %s from this machine. To use it again, run: lockbox identity unlock",
		stored.Username)
	return nil
}

// identityExportCommand prints the unlocked identity. If the text would appear on a terminal, the command first asks
// for confirmation, because the text is a secret that opens every box of the user.
func identityExportCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "export",
		Short: "Print your unlocked identity (lbid1_…), for example for a backup",
		Long: `Print your unlocked identity. The text opens the keys of all your boxes without a passphrase: print it
on paper, or store it in a password manager. lockbox identity import reads the text.`,
		Example: "  lockbox identity export > identity.txt",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			if isTerminal(s.out) {
				err := confirm(ctx, yes, "Show your identity on this screen? The text gives access to all your boxes.")
				if err != nil {
					return err
				}
			}
			text := holder.Identity().Reveal()
			return s.show(map[string]string{"identity": text}, nil, func(add func(...string)) { add(text) })
		}),
	}
	addYesFlag(command, &yes)
	return command
}

// identityForgetCommand removes the confirmed fingerprints of another user from this machine. The caller must then
// confirm the fingerprint of that user again before the next grant.
func identityForgetCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "forget USER",
		Short: "Forget the confirmed fingerprints of another user",
		Long: `Remove the confirmed fingerprints of another user from this machine. Use this command only after the
user has told you, over another channel, that the account was deleted and created again. The next lockbox box grant
asks you to compare the new fingerprint.`,
		Example: "  lockbox identity forget anna",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			memory, in, err := s.place(ctx, server)
			if err != nil {
				return err
			}
			name := strings.ToLower(args[0])
			if _, ok, err := memory.User(in, name); err != nil || !ok {
				missing := fmt.Errorf("no fingerprint of %s was confirmed on this machine", name)
				return cmp.Or(err, error(&exitError{missing, exitNotFound}))
			}
			if err := confirm(ctx, yes, "Forget the confirmed fingerprints of %s?", name); err != nil {
				return err
			}
			return memory.ForgetUser(in, name)
		}),
		ValidArgsFunction: completeFirst(s.completeUsers()),
	}
	addYesFlag(command, &yes)
	return command
}
