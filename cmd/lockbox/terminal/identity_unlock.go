package terminal

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// maxUnlockTries is the maximum number of times that a command asks for the unlock passphrase. An attempt sends no
// request.
const maxUnlockTries = 3

// identityUnlockCommand fetches the locked identity of the caller (GET /users/{username}/identity/locked), unlocks it
// and stores it on this machine. The exit code is exitWrongKey if the passphrase is wrong.
func identityUnlockCommand(s *session) *cobra.Command {
	var flags passphraseFlags
	command := &cobra.Command{
		Use:   "unlock",
		Short: "Unlock your identity on this machine with its passphrase",
		Long: `Get your locked identity from the server, unlock it with the passphrase that lockbox identity create
printed, and store it on this machine in a file that only you can read. The passphrase is not sent to the server. The
command may ask for your password, because the server requires a recent sign-in.`,
		Example: `  lockbox identity unlock
  lockbox identity unlock --passphrase-file passphrase --password-stdin < password`,
		Args: cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			return s.unlockIdentity(ctx, server, &flags)
		}),
	}
	command.Flags().StringVar(&flags.file, "passphrase-file", "", "read the unlock passphrase from this file")
	addPasswordStdinFlag(command, &flags.passwordStdin)
	return command
}

// unlockIdentity implements identityUnlockCommand.
func (s *session) unlockIdentity(ctx context.Context, server *client.Client, flags *passphraseFlags) error {
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	memory, err := keys.UserMemory()
	if err != nil {
		return err
	}
	var fetched *keys.Fetched
	err = s.recently(ctx, server, who, flags.passwordStdin, func(server *client.Client) error {
		fetched, err = keys.FetchLocked(ctx, server, memory)
		return err
	})
	if err != nil {
		return err
	}
	id, err := unlockFetched(ctx, fetched, flags.file)
	if err != nil {
		return err
	}
	if err := s.storeIdentity(server, who.Username, id); err != nil {
		return err
	}
	s.report("Unlocked the identity of %s on this machine. Fingerprint: %s", who.Username, id.Fingerprint().Display())
	return nil
}

// unlockFetched opens a locked identity. It reads the passphrase from the file, if one is given. Otherwise it asks the
// user for the passphrase, at most maxUnlockTries times.
func unlockFetched(ctx context.Context, fetched *keys.Fetched, file string) (*keys.Identity, error) {
	if file != "" {
		passphrase, err := readPassphrase(file)
		if err != nil {
			return nil, err
		}
		return fetched.Unlock(keys.NormalizePassphrase(passphrase))
	}
	for try := 1; ; try++ {
		text, err := ask(ctx, prompt.Hidden, "Unlock passphrase: ", "--passphrase-file")
		if err != nil {
			return nil, err
		}
		id, err := fetched.Unlock(keys.NormalizePassphrase(client.NewSecret(text)))
		if !errors.Is(err, client.ErrUnlockFailed) || try == maxUnlockTries {
			return id, err
		}
	}
}

// storeIdentity stores an unlocked identity of the caller on this machine. It keeps the previous identities on this
// machine, because an unfinished rotation still needs them.
func (s *session) storeIdentity(server *client.Client, username string, id *keys.Identity) error {
	store, err := profile.Identities()
	if err != nil {
		return err
	}
	next := profile.Identity{URL: canonicalURL(server.URL()), Username: username, Text: id.Reveal()}
	if old, ok, err := store.Load(next.URL, username); err == nil && ok {
		next.Previous = old.Previous
	}
	s.holderKnown, s.unlocked = false, nil
	return store.Save(next)
}

// identityImportCommand stores an identity that lockbox identity export printed. If the user has no identity on the
// server, the command also publishes the imported identity.
func identityImportCommand(s *session) *cobra.Command {
	var flags passphraseFlags
	var file string
	command := &cobra.Command{
		Use:   "import",
		Short: "Store an exported identity on this machine",
		Long: `Store an exported identity, unlocked, on this machine. The command asks for the text that lockbox
identity export printed, and does not show your input. If you have no identity on the server, the imported identity
becomes yours. If you have a different identity there, nothing changes: to regain boxes with a former identity, use
lockbox identity recover.`,
		Example: "  lockbox identity import\n  lockbox identity import --identity-file identity.txt",
		Args:    cobra.NoArgs,
		RunE: s.run(func(ctx context.Context, server *client.Client, _ []string) error {
			return s.importIdentity(ctx, server, file, &flags)
		}),
	}
	addIdentityFileFlag(command, &file)
	flags.addFlags(command, true)
	return command
}

// addIdentityFileFlag adds the flag with which scripts pass an identity.
func addIdentityFileFlag(command *cobra.Command, file *string) {
	command.Flags().StringVar(file, "identity-file", "", "read the identity (lbid1_…) from this file")
}

// readIdentity reads an identity from a file, or asks for it.
func readIdentity(ctx context.Context, file, question string) (*keys.Identity, error) {
	if file != "" {
		text, err := readPassphrase(file)
		if err != nil {
			return nil, err
		}
		return keys.ParseIdentity(text.Reveal())
	}
	text, err := ask(ctx, prompt.Hidden, question, "--identity-file")
	if err != nil {
		return nil, err
	}
	return keys.ParseIdentity(text)
}

// importIdentity implements identityImportCommand.
func (s *session) importIdentity(ctx context.Context, server *client.Client, file string,
	flags *passphraseFlags) error {
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
	id, err := readIdentity(ctx, file, "Identity (lbid1_…): ")
	if err != nil {
		return err
	}
	switch {
	case found == nil:
		return s.publishIdentity(ctx, server, who, memory, id, flags)
	case found.Fingerprint != id.Fingerprint().String():
		return &exitError{errors.New("nothing was changed, because the given identity is not your current identity; " +
			"to regain boxes with a former identity, run lockbox identity recover"), exitConflict}
	}
	if err := s.storeIdentity(server, who.Username, id); err != nil {
		return err
	}
	s.report("Stored the identity of %s on this machine. Fingerprint: %s", who.Username, id.Fingerprint().Display())
	return nil
}
