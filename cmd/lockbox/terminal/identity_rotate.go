package terminal

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
)

// identityRotateCommand replaces the identity of the caller. It then gives the new identity access to the boxes of the
// caller. After an interruption, the user can repeat the command, because the former identities stay on this machine
// until every box has been tried.
func identityRotateCommand(s *session) *cobra.Command {
	var flags passphraseFlags
	var renew bool
	command := &cobra.Command{
		Use:   "rotate",
		Short: "Replace your identity, for example after a stolen laptop",
		Long: `Replace your identity with a new one, which gets a new unlock passphrase. The old identity is revoked at
once. The command then makes the new identity a recipient of your boxes, and changes the keys of these boxes. Only a
boxadmin can do this; for other boxes, the command prints what a boxadmin must run. Colleagues compare your new
fingerprint.

The old identity must be unlocked on this machine. If the command was interrupted or reported an error for a box, run
the command again to continue. With --new, the command makes a new identity instead of continuing, for example after a
second theft.`,
		Example: "  lockbox identity rotate",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			return s.rotateIdentity(ctx, server, &flags, renew)
		}),
	}
	flags.addFlags(command, true)
	command.Flags().BoolVar(&renew, "new", false, "make a new identity even if an earlier rotation is unfinished")
	return command
}

// rotateIdentity implements identityRotateCommand. If renew is false and an earlier rotation is unfinished, it
// continues that rotation: the server already has the new identity. Otherwise, it makes a new identity. It keeps all
// former identities until every box has been tried.
func (s *session) rotateIdentity(ctx context.Context, server *client.Client, flags *passphraseFlags,
	renew bool) error {
	stored, ok, err := s.storedIdentity(ctx, server)
	if err != nil {
		return err
	}
	if !ok {
		return s.noIdentity(ctx, server)
	}
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	if len(stored.Previous) == 0 || renew {
		memory, err := keys.UserMemory()
		if err != nil {
			return err
		}
		if err := s.publishIdentity(ctx, server, who, memory, keys.GenerateIdentity(), flags); err != nil {
			return err
		}
	} else {
		s.report("Continuing the rotation that was interrupted.")
	}
	if stored, ok, err = s.storedIdentity(ctx, server); err != nil || !ok {
		return err
	}
	var former []*keys.Identity
	for _, text := range stored.Previous {
		id, err := keys.ParseIdentity(text)
		if err != nil {
			return err
		}
		former = append(former, id)
	}
	if err := s.regainAll(ctx, server, who.Username, nil, former); err != nil {
		return &detailedError{error: err, suffix: "; run lockbox identity rotate again to continue"}
	}
	stored.Previous = nil
	store, err := profile.Identities()
	if err != nil {
		return err
	}
	return store.Save(stored)
}

// identityRecoverCommand adds the current identity of the caller to the recipients of boxes. It opens each box with
// another identity, which must already be a recipient of the box: a former identity of the caller, or the identity of a
// recovery user.
func identityRecoverCommand(s *session) *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "recover [BOX …]",
		Short: "Regain boxes with a former identity or a recovery identity",
		Long: `Regain access to boxes with another identity that has their keys. This is a former identity of yours,
or the identity that lockbox identity create --recovery printed. Without BOX, the command tries all your boxes. Your
current identity becomes a recipient, and the keys of the boxes change. You must be a boxadmin.

The command asks for the other identity and does not store it.`,
		Example: "  lockbox identity recover\n  lockbox identity recover prod --identity-file recovery-identity",
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			if _, err := s.requireHolder(ctx, server); err != nil {
				return err
			}
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			with, err := readIdentity(ctx, file, "Former or recovery identity (lbid1_…): ")
			if err != nil {
				return err
			}
			return s.regainAll(ctx, server, who.Username, args, []*keys.Identity{with})
		}),
		ValidArgsFunction: s.completeBoxes(),
	}
	addIdentityFileFlag(command, &file)
	return command
}

// regained is the output of the commands rotate and recover for one box.
type regained struct {
	Box string `json:"box"`
	// Result is "regained", "unchanged", or the reason why the box could not be regained.
	Result string `json:"result"`
}

// regainAll calls regain with the given identities for each of the boxes, and prints the result for each box. If boxes
// is empty, regainAll tries all boxes that have a keyring. If only a box admin can give the caller the key of a box,
// the result contains the command for the box admin. This case is an error only if the caller named the box.
func (s *session) regainAll(ctx context.Context, server *client.Client, username string, boxes []string,
	with []*keys.Identity) error {
	holder, err := s.requireHolder(ctx, server)
	if err != nil {
		return err
	}
	named := len(boxes) > 0
	if !named {
		if boxes, err = server.ListBoxes(ctx); err != nil {
			return err
		}
	}
	results := []regained{}
	var failed error
	for _, box := range boxes {
		result, err := s.regain(ctx, server, holder, box, with)
		switch {
		case err == nil && result == "":
			continue // a box without a keyring
		case errors.Is(err, client.ErrForbidden), errors.Is(err, client.ErrNotRecipient):
			result = "ask a box admin to run: lockbox box grant " + box + " " + username
			if named {
				failed = errors.Join(failed, &detailedError{prefix: box + ": ", error: err})
			}
		case err != nil:
			result = Explain(err)
			failed = errors.Join(failed, &detailedError{prefix: box + ": ", error: err})
		}
		results = append(results, regained{box, result})
	}
	err = s.show(results, []string{"BOX", "RESULT"}, func(add func(...string)) {
		for _, each := range results {
			add(each.Box, each.Result)
		}
	})
	return errors.Join(err, failed)
}

// regain regains one box with the first identity that has its key. The result is "" for a box without a keyring.
func (s *session) regain(ctx context.Context, server *client.Client, holder *keys.Holder, box string,
	with []*keys.Identity) (string, error) {
	described, err := server.DescribeBox(ctx, box)
	if err != nil || described.Keyring == nil {
		return "", err
	}
	before := described.Keyring.Sequence
	err = client.NewKeyError(client.ErrNotRecipient, "none of the identities has a key of this box", nil)
	for _, id := range with {
		var dropped []client.KeyringUser
		dropped, err = holder.Regain(ctx, server, box, id)
		if errors.Is(err, client.ErrNotRecipient) {
			continue
		}
		if err != nil {
			return "", err
		}
		s.reportDropped(box, dropped)
		break
	}
	if err != nil {
		return "", err
	}
	if described, err = server.DescribeBox(ctx, box); err == nil && described.Keyring != nil &&
		described.Keyring.Sequence == before {
		return "unchanged", nil
	}
	return "regained", nil
}

// reportDropped warns about recipients whom a key change has removed from the keyring.
func (s *session) reportDropped(box string, dropped []client.KeyringUser) {
	if len(dropped) == 0 {
		return
	}
	names := make([]string, len(dropped))
	for i, each := range dropped {
		if names[i] = each.User; each.User == "" {
			names[i] = "a deleted user"
		}
	}
	s.warn("%s: these users are no longer recipients, because they are not active members or have a new identity: %s",
		box, strings.Join(names, ", "))
}
