package terminal

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// offerIdentity asks a user who has just signed in at a terminal whether to create an identity or, if the user has one,
// to unlock it on this machine. If the user answers no, the profile stores this answer. If standard error is
// redirected, the user would not see the explanation, so offerIdentity asks nothing. The parameter server is a client
// with the new session. This session is recent enough to create or unlock an identity. offerIdentity creates an
// identity only after an explicit yes, because a malicious server could hide the existing identity of the user.
func (s *session) offerIdentity(ctx context.Context, server *client.Client, username string) error {
	if s.output == formatJSON || s.selected.IdentityDeclined || s.env(identityVariable) != "" ||
		s.env(identityVariable+"_FILE") != "" || !prompt.IsTerminal(s.errs) || !prompt.Possible() {
		return nil
	}
	store, err := profile.Identities()
	if err != nil {
		return nil //nolint:nilerr // there is no directory in which to store an identity
	}
	if _, ok, err := store.Load(canonicalURL(server.URL()), username); err != nil || ok {
		return err
	}
	found, err := server.DescribeIdentity(ctx, username)
	refused, _ := errors.AsType[*client.Error](err)
	switch {
	case refused != nil && refused.Code == "identity_not_found":
		return s.offer(ctx, "create", "Create your identity now?", func() error {
			return s.createIdentity(ctx, server, &passphraseFlags{}, false)
		})
	case err != nil: // servers of earlier releases have no identities
		return nil //nolint:nilerr // the sign-in succeeded
	case !found.Locked:
		s.report("Your identity is not on this machine, and the server has no locked copy. " +
			"If you have exported it, run: lockbox identity import")
		return nil
	}
	return s.offer(ctx, "unlock", "Unlock your identity on this machine now?", func() error {
		return s.unlockIdentity(ctx, server, &passphraseFlags{})
	})
}

// offer explains the purpose of an identity and asks the question. It calls the function act if the user answers yes.
// If act fails, the user is still signed in.
func (s *session) offer(ctx context.Context, verb, question string, act func() error) error {
	s.report("With an identity of your own, you need no encryption key: " +
		"colleagues can give you the keys of their boxes.")
	s.report("An identity is a key pair made on this machine. The server keeps only a copy locked under a passphrase.")
	wanted, err := prompt.Yes(ctx, question)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if !wanted { // or the terminal has closed
		s.report("To do this later, run: lockbox identity %s", verb)
		if err != nil {
			return nil //nolint:nilerr // the sign-in succeeded
		}
		return changeProfile(s.name, func(book *profile.Book) {
			declined := book.Profiles[s.name]
			declined.IdentityDeclined = true
			book.Profiles[s.name] = declined
		})
	}
	if err := act(); err != nil {
		return &detailedError{error: err, suffix: "; you are signed in; " +
			"to try this step again, run lockbox identity " + verb}
	}
	return nil
}

// acceptInstallation records that the user trusts the installation that now runs at this URL. The installation is
// either a new one, or a known one that has moved to this URL.
func (s *session) acceptInstallation(ctx context.Context, server *client.Client) error {
	memory, err := keys.UserMemory()
	if err != nil {
		return err
	}
	who, err := server.WhoAmI(ctx)
	if err != nil {
		return err
	}
	in, err := keys.ParseID(who.Installation)
	if err != nil {
		return err
	}
	return memory.Move(server.URL(), in)
}
