package terminal

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
)

// fingerprintOf returns the display form of a fingerprint from the server, or "-" if there is none.
func fingerprintOf(text string) string {
	fingerprint, err := keys.ParseFingerprint(text)
	if err != nil {
		return "-"
	}
	return fingerprint.Display()
}

// boxKeyringCommand verifies the keyring of a box and shows it (GET /boxes/{box}/keyring?recipients=all).
func boxKeyringCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "keyring BOX",
		Short: "Show who has the key of a box, and who waits for it",
		Long: `Show the keyring of a box: the recipients of the key, the members who wait for it, the recipients who
should lose it, and the earlier keyrings that the server keeps. The command verifies the keyring before it shows it.`,
		Example: "  lockbox box keyring prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			members, err := holder.Members(ctx, server, args[0])
			if err != nil {
				return err
			}
			return s.showKeyring(members)
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
}

// showKeyring prints the properties of a keyring, its users and the earlier keyrings.
func (s *session) showKeyring(members *keys.Members) error {
	if s.output == formatJSON {
		return s.showJSON(struct {
			Anchor       string               `json:"anchor"`
			KeyID        string               `json:"keyId"`
			Sequence     uint64               `json:"sequence"`
			Author       string               `json:"author"`
			KeyChangeDue bool                 `json:"keyChangeDue"`
			Recipients   []client.KeyringUser `json:"recipients"`
			Waiting      []client.KeyringUser `json:"waiting"`
			Due          []client.KeyringUser `json:"due"`
			Past         []client.PastKeyring `json:"past"`
		}{
			members.Anchor.String(), members.Anchor.Key.String(), members.Sequence, members.Author.String(),
			members.KeyChangeDue, orEmpty(members.Recipients), orEmpty(members.Waiting), orEmpty(members.Due),
			orEmpty(members.Past),
		})
	}
	err := s.show(members, nil, func(add func(...string)) {
		add("key id", members.Anchor.Key.String())
		add("number", strconv.FormatUint(members.Sequence, 10))
		add("author", members.Author.Display())
		add("anchor", members.Anchor.String())
		add("key change due", yesNo(members.KeyChangeDue))
		add()
	})
	if err != nil {
		return err
	}
	err = s.show(members, []string{"USER", "STATE", "FINGERPRINT"}, func(add func(...string)) {
		for _, each := range members.Recipients {
			add(nameOrDeleted(each.User), recipientState(members, each), fingerprintOf(each.Fingerprint))
		}
		for _, each := range members.Waiting {
			state := "waiting for the key"
			if each.Fingerprint == "" {
				state = "without an identity"
			}
			add(each.User, state, fingerprintOf(each.Fingerprint))
		}
	})
	if err != nil || len(members.Past) == 0 {
		return err
	}
	return s.show(members, []string{"\nPAST NUMBER", "KEY ID", "WRITTEN", "AUTHOR"}, func(add func(...string)) {
		for _, each := range members.Past {
			add(strconv.FormatUint(each.Sequence, 10), each.KeyID, formatTime(each.At), nameOrDeleted(each.Author))
		}
	})
}

// recipientState returns the text of the column STATE for a recipient. A recipient in members.Due still has the key,
// but the next change of the key will exclude the recipient.
func recipientState(members *keys.Members, user client.KeyringUser) string {
	for _, due := range members.Due {
		if due.Fingerprint == user.Fingerprint {
			return "should lose the key"
		}
	}
	return "has the key"
}

func nameOrDeleted(name string) string {
	if name == "" {
		return "(deleted)"
	}
	return name
}

// orEmpty replaces a nil slice with an empty slice, because JSON output must contain [] instead of null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// boxGrantCommand gives a member the key of a box (PUT /boxes/{box}/keyring). The command encrypts the key to the
// identity of the member. The caller confirms the fingerprint of the member at the terminal, or passes it with
// --fingerprint. The command prints a lockbox box trust command, which the member should run.
func boxGrantCommand(s *session) *cobra.Command {
	var fingerprint string
	command := &cobra.Command{
		Use:   "grant BOX USER",
		Short: "Give a member the key of a box, after comparing the fingerprint",
		Long: `Give a member of a box the key of the box. The command shows the fingerprint of the member. Compare it
with the member over another channel; scripts pass it with --fingerprint. If you confirmed the fingerprint earlier,
the command does not ask. If a change of the key is due, the command also changes the key.

The command prints a line for the member to run. The member's machine then accepts only keyrings that follow from the
current one. The line is not secret.`,
		Example: "  lockbox box grant prod anna\n" +
			"  lockbox box grant prod anna --fingerprint 'abcde fghij klmno pqrst uvwxy z2345'",
		Args: cobra.ExactArgs(2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			return s.grant(ctx, server, holder, args[0], grantOf(args[1], fingerprint))
		}),
		ValidArgsFunction: completeEach(s.completeBoxes(), s.completeMembers()),
	}
	addFingerprintFlag(command, &fingerprint)
	return command
}

// addFingerprintFlag adds --fingerprint, with which scripts pass a fingerprint that a person has confirmed before.
func addFingerprintFlag(command *cobra.Command, fingerprint *string) {
	command.Flags().StringVar(fingerprint, "fingerprint", "",
		"the complete fingerprint (30 characters) that the user told you; "+
			"without this flag, you compare the fingerprint at the terminal")
}

// grantOf returns a grant for a user. It converts the name to lower case, because the server and keys.Memory store
// names in lower case.
func grantOf(user, fingerprint string) keys.Grant {
	return keys.Grant{User: strings.ToLower(user), Fingerprint: fingerprint}
}

// grant implements boxGrantCommand.
func (s *session) grant(ctx context.Context, server *client.Client, holder *keys.Holder, box string,
	grant keys.Grant) error {
	granted, err := holder.Grant(ctx, server, box, grant)
	if errors.Is(err, client.ErrRecipientStale) {
		if _, memberErr := server.DescribeBoxUser(ctx, box, grant.User); errors.Is(memberErr, client.ErrNotFound) {
			return &exitError{errors.New(grant.User + " is not a member of " + box +
				": to add the user and give the user the key, run lockbox box user add " + box + " " + grant.User),
				exitNotFound}
		}
	}
	if err != nil {
		return err
	}
	s.reportDropped(box, granted.Dropped)
	if s.output == formatJSON {
		return s.showJSON(struct {
			Anchor     string               `json:"anchor"`
			KeyChanged bool                 `json:"keyChanged"`
			Dropped    []client.KeyringUser `json:"dropped"`
		}{granted.Anchor.String(), granted.KeyChanged, orEmpty(granted.Dropped)})
	}
	s.report("%s has the key of %s. "+
		"Send %[1]s this command, which lets %[1]s detect a forged keyring at the first use:", grant.User, box)
	return s.print("lockbox box trust " + granted.Anchor.String() + " " + box + "\n")
}

// boxTrustCommand stores the anchor of a box on this machine. The exit code is exitConflict if this machine already
// knows the box and the anchor does not match.
func boxTrustCommand(s *session) *cobra.Command {
	return &cobra.Command{
		Use:   "trust ANCHOR [BOX]",
		Short: "Store the anchor (lba1_…) of a box, and refuse keyrings that do not match it",
		Long: `Store the anchor of a box on this machine. A member who ran lockbox box grant for you has the anchor.
Your machine then accepts only keyrings of the box that follow from the anchor, even the first time.`,
		Example: "  lockbox box trust lba1_… prod",
		Args:    cobra.RangeArgs(1, 2),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			anchor, err := keys.ParseAnchor(args[0])
			if err != nil {
				return &usageError{err}
			}
			memory, in, err := s.place(ctx, server)
			if err != nil {
				return err
			}
			box := strings.ToLower(strings.Join(args[1:], ""))
			if known, ok, err := memory.Box(in, box); err == nil && ok && known.ID == anchor.Box && box != "" {
				// This machine already knows the box. Fetch and verify its newest keyring, so that Trust compares the
				// anchor with the current key of the box.
				holder, err := s.requireHolder(ctx, server)
				if err != nil {
					return err
				}
				if _, err = holder.CurrentKey(ctx, server, box); err != nil {
					return err
				}
			}
			return memory.Trust(in, box, anchor)
		}),
		ValidArgsFunction: completeEach(cobra.NoFileCompletions, s.completeBoxes()),
	}
}

// boxForgetCommand removes what this machine remembers about a box. The machine then accepts the next keyring without a
// comparison with earlier keyrings of the box.
func boxForgetCommand(s *session) *cobra.Command {
	var yes bool
	command := &cobra.Command{
		Use:   "forget BOX",
		Short: "Forget the keyring of a box that was recreated or reset",
		Long: `Remove what this machine knows about a box. The machine then accepts the next keyring of the box as if
it were the first. Use this command only after a box admin has told you, over another channel, that the box was
deleted and created again, or that its keyring was reset. A dishonest server causes the same error.`,
		Example: "  lockbox box forget prod",
		Args:    cobra.ExactArgs(1),
		RunE: s.run(func(ctx context.Context, server *client.Client, args []string) error {
			err := confirm(ctx, yes, "Continue only if a box admin told you that %s was created again or reset. "+
				"Forget the keyring of the box?", args[0])
			if err != nil {
				return err
			}
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			return holder.Forget(ctx, server, strings.ToLower(args[0]))
		}),
		ValidArgsFunction: completeFirst(s.completeBoxes()),
	}
	addYesFlag(command, &yes)
	return command
}

// createBox creates a box with a keyring. These users get the key: the caller, the users that --grant names, and the
// users that pinnedGrants returns. Without an identity, or with --no-keyring, createBox creates a box without a
// keyring.
func (s *session) createBox(ctx context.Context, server *client.Client, box string, noKeyring bool,
	grants []string) error {
	holder, err := s.holder(ctx, server)
	if err != nil {
		return err
	}
	if holder == nil || noKeyring {
		if len(grants) > 0 {
			return s.noIdentity(ctx, server)
		}
		if err := server.CreateBox(ctx, box); err != nil {
			return err
		}
		s.report("Created box %s.", box)
		if !noKeyring {
			s.report("The box has no keyring, so you must give its members the encryption key. "+
				"To make a keyring, run lockbox identity create, and then lockbox box adopt %s", box)
		}
		return nil
	}
	var to []keys.Grant
	for _, name := range append(grants, s.pinnedGrants(ctx, server, holder)...) {
		to = append(to, grantOf(name, ""))
	}
	if _, err := holder.CreateBox(ctx, server, strings.ToLower(box), to...); err != nil {
		return err
	}
	s.report("Created box %s with a keyring. Its members need no encryption key.", box)
	return nil
}

// pinnedGrants checks each user in the grant list of the profile. It returns the users whose fingerprint was confirmed
// on this machine. For each other user, it prints a warning.
func (s *session) pinnedGrants(ctx context.Context, server *client.Client, holder *keys.Holder) []string {
	if !s.usesProfile || len(s.selected.Grant) == 0 {
		return nil
	}
	var pinned []string
	_, in, err := s.place(ctx, server)
	for _, name := range s.selected.Grant {
		known := false
		if err == nil {
			_, known, _ = holder.Memory().User(in, name)
		}
		if !known {
			s.warn("%s does not get the key of the new box, because you have not confirmed the fingerprint of %[1]s: "+
				"to give the user the key, use lockbox box grant", name)
			continue
		}
		pinned = append(pinned, name)
	}
	return pinned
}

// addMember adds a user to a box. If the caller has the key of the box, addMember also gives the key to the user. The
// fingerprint of the user must be confirmed by an earlier command, by --fingerprint, or by an answer at the terminal.
// Without this confirmation, the user becomes a member who waits for the key.
func (s *session) addMember(ctx context.Context, server *client.Client, box, username, role, fingerprint string) error {
	if err := server.AddBoxUser(ctx, box, username, role); err != nil {
		return err
	}
	described, err := server.DescribeBox(ctx, box)
	if err != nil || described.Keyring == nil {
		return nil //nolint:nilerr // the user was added; without a keyring there is nothing else to do
	}
	waits := func(why string) {
		s.warn("%s is now a member of %s, but does not have the key of the box: %s", username, box, why)
	}
	holder, err := s.holder(ctx, server)
	switch {
	case err != nil:
		return err
	case holder == nil:
		waits("a member with the key must run lockbox box grant " + box + " " + username)
		return nil
	}
	err = s.grant(ctx, server, holder, box, grantOf(username, fingerprint))
	failure, _ := errors.AsType[*client.Error](err)
	switch {
	case err == nil:
		return nil
	case failure != nil && failure.Code == "identity_not_found":
		waits("ask " + username + " to run lockbox identity create; " +
			"after that, to give the user the key, run lockbox box grant " + box + " " + username)
		return nil
	case errors.Is(err, client.ErrIdentityUnconfirmed):
		waits("to compare the fingerprint and give the user the key, run lockbox box grant " + box + " " + username)
		return nil
	case errors.Is(err, client.ErrNotRecipient):
		waits("you cannot give the user the key, because you do not have it; " +
			"a member with the key must run lockbox box grant " + box + " " + username)
		return nil
	}
	return &detailedError{error: err, suffix: "; " + username + " is now a member of " + box +
		", but does not have the key of the box"}
}

// removeMember removes a user from a box. If the caller has the key of the box, the same request changes the key.
func (s *session) removeMember(ctx context.Context, server *client.Client, box, username string, keepKey bool) error {
	holder, err := s.holder(ctx, server)
	if err != nil {
		return err
	}
	if holder != nil && !keepKey {
		removed, err := holder.Remove(ctx, server, strings.ToLower(box), strings.ToLower(username))
		if err != nil {
			return err
		}
		s.reportDropped(box, removed.Dropped)
		if removed.KeyChanged {
			s.report("Removed %s from %s and changed the key. %[1]s may still know the values that %[1]s has read.",
				username, box)
			return nil
		}
	} else if err := server.RemoveBoxUser(ctx, box, username); err != nil {
		return err
	}
	s.warnIfDue(ctx, server, box)
	return nil
}

// warnIfDue prints a warning if a recipient should no longer have the key of the box. Callers use it after a change of
// the members.
func (s *session) warnIfDue(ctx context.Context, server *client.Client, box string) {
	described, err := server.DescribeBox(ctx, box)
	if err == nil && described.Keyring != nil && described.Keyring.KeyChangeDue {
		s.warn("the key of %s did not change: a member with the key should run lockbox box rekey %[1]s", box)
	}
}
