package terminal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// minPassphrase is the minimum length of a chosen unlock passphrase, in bytes. A passphrase must be long, because an
// attacker who has stolen the database and the server's secret can try any number of passphrases.
const minPassphrase = 20

// passphraseFlags holds the flags that choose the unlock passphrase of a new identity. Without any of these flags, the
// passphrase is generated.
type passphraseFlags struct {
	choose bool
	// file contains the passphrase.
	file string
	// none is the value of --no-locked-copy. If it is true, the server stores no locked copy of the identity.
	none bool
	// If passwordStdin is true, the command reads the password of the account from standard input.
	passwordStdin bool
}

// addFlags adds the flags to a command. If withNone is true, it also adds --no-locked-copy.
func (f *passphraseFlags) addFlags(command *cobra.Command, withNone bool) {
	command.Flags().BoolVar(&f.choose, "choose", false, "choose the unlock passphrase instead of generating six words")
	command.Flags().StringVar(&f.file, "passphrase-file", "", "read the unlock passphrase from this file")
	command.MarkFlagsMutuallyExclusive("choose", "passphrase-file")
	if withNone {
		command.Flags().BoolVar(&f.none, "no-locked-copy", false,
			"do not store a locked copy of the identity on the server; "+
				"to copy the identity to another machine, run lockbox identity export")
		command.MarkFlagsMutuallyExclusive("choose", "no-locked-copy")
		command.MarkFlagsMutuallyExclusive("passphrase-file", "no-locked-copy")
	}
	addPasswordStdinFlag(command, &f.passwordStdin)
}

// passphrase returns the unlock passphrase, and whether it was generated. With --no-locked-copy, there is no
// passphrase, and the result is the zero Secret.
func (f *passphraseFlags) passphrase(ctx context.Context) (passphrase client.Secret, generated bool, err error) {
	switch {
	case f.none:
		return client.Secret{}, false, nil
	case f.file != "":
		passphrase, err = readPassphrase(f.file)
	case f.choose:
		var text string
		text, err = ask(ctx, prompt.New, "New unlock passphrase: ", "--passphrase-file")
		passphrase = client.NewSecret(text)
	default:
		return keys.GeneratePassphrase(), true, nil
	}
	if err != nil {
		return client.Secret{}, false, err
	}
	if len(passphrase.Reveal()) < minPassphrase {
		return client.Secret{}, false, &usageError{fmt.Errorf("the unlock passphrase must have at least %d characters",
			minPassphrase)}
	}
	return keys.NormalizePassphrase(passphrase), false, nil
}

// readPassphrase reads an unlock passphrase from a file, without the line end.
func readPassphrase(path string) (client.Secret, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the user names the file
	if err != nil {
		return client.Secret{}, fmt.Errorf("cannot read the unlock passphrase: %w", err)
	}
	return client.NewSecret(trimNewline(text)), nil
}

// identityCreateCommand creates the identity of the caller (PUT /users/{username}/identity). With --recovery, it
// creates a user whose identity is kept offline. The command prints the fingerprint and the generated passphrase. The
// exit code is exitConflict if the user already has an identity. With --replace-lost, the command replaces an identity
// that is not on this machine.
func identityCreateCommand(s *session) *cobra.Command {
	var flags passphraseFlags
	var recovery string
	var replaceLost bool
	command := &cobra.Command{
		Use:   "create",
		Short: "Create your identity and print its unlock passphrase",
		Long: `Create your identity on this machine and publish its public key. The server keeps only a locked copy
of the identity. The command prints the unlock passphrase, six random words, only once. Store the words in your
password manager: you need them to unlock the identity on another machine. The server requires a recent sign-in, so
the command may ask for your password.

With --replace-lost, replace an identity that is lost: no machine has it any more, and you have lost its passphrase.
Members who have the key of a box must then give you the key again. If a machine still has the identity, use lockbox
identity rotate instead.

With --recovery NAME, an admin creates a user that never signs in. The command prints the identity of this user once.
Keep the identity offline: on paper, in a safe. The user becomes a recipient of each new box that you create. If all
other identities are lost, lockbox identity recover can then open these boxes. For existing boxes, use lockbox box
user add.`,
		Example: `  lockbox identity create
  lockbox identity create --choose
  lockbox identity create --recovery recovery > recovery-identity`,
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			if recovery != "" {
				return s.createRecovery(ctx, server, recovery)
			}
			return s.createIdentity(ctx, server, &flags, replaceLost)
		}),
	}
	flags.addFlags(command, true)
	command.Flags().BoolVar(&replaceLost, "replace-lost", false, "replace an identity that you have lost")
	command.Flags().StringVar(&recovery, "recovery", "",
		"create a recovery user with this name, and print its identity")
	command.MarkFlagsMutuallyExclusive("replace-lost", "recovery")
	return command
}

// createIdentity creates the identity of the caller. It returns an error if the caller already has an identity. With
// replaceLost, it replaces the existing identity instead, but only if that identity is not on this machine.
func (s *session) createIdentity(ctx context.Context, server *client.Client, flags *passphraseFlags,
	replaceLost bool) error {
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	memory, err := keys.UserMemory()
	if err != nil {
		return err
	}
	found, err := keys.FindOwn(ctx, server, memory)
	if err != nil {
		return err
	}
	if _, here, err := s.storedIdentity(ctx, server); err != nil {
		return err
	} else if found != nil && (here || !replaceLost) {
		return &exitError{errors.New("you already have an identity: " +
			"to use the identity on this machine, run lockbox identity unlock; " +
			"to replace the identity, run lockbox identity rotate"),
			exitConflict}
	}
	return s.publishIdentity(ctx, server, who, memory, keys.GenerateIdentity(), flags)
}

// publishIdentity stores a new identity on this machine, publishes its public key on the server, and prints the
// passphrase. It stores the identity first, because the identity could otherwise be lost after its publication. If this
// machine already stores another identity of the caller, that identity stays there as a previous identity.
func (s *session) publishIdentity(ctx context.Context, server *client.Client, who *client.Identity,
	memory *keys.Memory, id *keys.Identity, flags *passphraseFlags) error {
	passphrase, generated, err := flags.passphrase(ctx)
	if err != nil {
		return err
	}
	store, err := profile.Identities()
	if err != nil {
		return err
	}
	account := canonicalURL(server.URL())
	old, had, err := store.Load(account, who.Username)
	if err != nil {
		return err
	}
	next := profile.Identity{URL: account, Username: who.Username, Text: id.Reveal()}
	if had && old.Text != next.Text {
		next.Previous = append([]string{old.Text}, old.Previous...)
	}
	if err := store.Save(next); err != nil {
		return err
	}
	err = s.recently(ctx, server, who, flags.passwordStdin, func(server *client.Client) error {
		return keys.Publish(ctx, server, memory, id, passphrase)
	})
	// If the outcome is unknown, the server may have published the identity. In that case, leave the identity on this
	// machine.
	if err != nil && !errors.Is(err, client.ErrOutcomeUnknown) {
		if had {
			return errors.Join(err, store.Save(old))
		}
		_, deleteErr := store.Delete(account, who.Username)
		return errors.Join(err, deleteErr)
	}
	if err != nil {
		return err
	}
	s.holderKnown, s.unlocked = false, nil
	return s.showPublished(who.Username, id, passphrase, generated)
}

// showPublished prints a new identity. It prints the passphrase only if the passphrase was generated.
func (s *session) showPublished(username string, id *keys.Identity, passphrase client.Secret, generated bool) error {
	shown := struct {
		User        string `json:"user"`
		Fingerprint string `json:"fingerprint"`
		Passphrase  string `json:"passphrase,omitempty"`
	}{User: username, Fingerprint: id.Fingerprint().Display()}
	if generated {
		shown.Passphrase = passphrase.Reveal()
	}
	err := s.show(shown, nil, func(add func(...string)) {
		add("user", shown.User)
		add("fingerprint", shown.Fingerprint)
		if generated {
			add("unlock passphrase", shown.Passphrase)
		}
	})
	if err == nil && generated {
		s.report("Store the unlock passphrase in your password manager. You need it on other machines. " +
			"The passphrase is not shown again.")
	}
	return err
}

// createRecovery creates a user whose identity is kept offline. This user can never sign in: the password is random and
// stored nowhere, and the first API key is revoked. The caller need not confirm the fingerprint, because the command
// itself generates the identity.
func (s *session) createRecovery(ctx context.Context, server *client.Client, name string) error {
	memory, in, err := s.place(ctx, server)
	if err != nil {
		return err
	}
	id := keys.GenerateIdentity()
	key, err := server.CreateUser(ctx, client.NewUser{
		Username: name,
		Password: client.NewSecret(rand.Text()),
		Identity: id.Public().String(),
	})
	if err != nil {
		return err
	}
	// Print the identity before any step that can fail, because the identity exists nowhere else.
	text := id.Reveal()
	err = s.show(map[string]string{"user": name, "identity": text, "fingerprint": id.Fingerprint().Display()}, nil,
		func(add func(...string)) { add(text) })
	if err != nil {
		return err
	}
	if err := server.RevokeAPIKey(ctx, key.Reveal()); err != nil {
		s.warn("could not revoke the API key of %s: %s; the key stays valid until you revoke it with lockbox api-keys",
			name, Explain(err))
	}
	user, err := server.DescribeUser(ctx, name)
	if err != nil {
		return err
	}
	userID, err := keys.ParseID(user.ID)
	if err != nil {
		return err
	}
	if err := memory.PinUser(in, user.Username, userID, id.Fingerprint()); err != nil {
		return err
	}
	s.report("Print this identity or store it offline, and then delete it from this machine. "+
		"The identity gives access to every box that has %s as a recipient.", name)
	return s.addToGrants(user.Username)
}

// addToGrants adds a user to the grant list of the profile. When the caller creates a box with this profile, the users
// in this list get the key of the box.
func (s *session) addToGrants(name string) error {
	if _, exists := s.book.Profiles[s.name]; !exists {
		s.report("Use lockbox box user add to make %s a recipient of a box.", name)
		return nil
	}
	return changeProfile(s.name, func(book *profile.Book) {
		stored := book.Profiles[s.name]
		stored.Grant = append(stored.Grant, name)
		book.Profiles[s.name] = stored
	})
}

// identityPassphraseCommand locks the server's copy of the identity under a new passphrase
// (PUT /users/{username}/identity/locked).
func identityPassphraseCommand(s *session) *cobra.Command {
	var flags passphraseFlags
	command := &cobra.Command{
		Use:   "passphrase",
		Short: "Lock your identity on the server under a new passphrase",
		Long: `Lock the copy of your identity on the server under a new passphrase, and print the new passphrase. The
old passphrase no longer opens the copy. The identity must be unlocked on this machine. The command may ask for your
password.

If a thief may have both the old passphrase and the old copy, replace the identity with lockbox identity rotate.`,
		Example: "  lockbox identity passphrase\n  lockbox identity passphrase --choose",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			holder, err := s.requireHolder(ctx, server)
			if err != nil {
				return err
			}
			who, err := server.WhoAmI(ctx)
			if err != nil {
				return err
			}
			passphrase, generated, err := flags.passphrase(ctx)
			if err != nil {
				return err
			}
			err = s.recently(ctx, server, who, flags.passwordStdin, func(server *client.Client) error {
				return keys.Relock(ctx, server, holder.Memory(), holder.Identity(), passphrase)
			})
			if err != nil {
				return err
			}
			return s.showPublished(who.Username, holder.Identity(), passphrase, generated)
		}),
	}
	flags.addFlags(command, false)
	return command
}
