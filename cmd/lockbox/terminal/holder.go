package terminal

import (
	"context"
	"errors"
	"sync"

	"github.com/lockbox-go/lockbox/client"
	"github.com/lockbox-go/lockbox/client/keys"
	"github.com/lockbox-go/lockbox/cmd/lockbox/profile"
	"github.com/lockbox-go/lockbox/cmd/lockbox/prompt"
)

// identityVariable is the environment variable that contains the identity of a program. LOCKBOX_IDENTITY_FILE can
// instead name a file that contains the identity.
const identityVariable = "LOCKBOX_IDENTITY"

// holder returns a keys.Holder with the unlocked identity of the selected account, or nil if no identity is unlocked.
// An identity in LOCKBOX_IDENTITY is ignored if the user selects a profile, or a server that differs from
// LOCKBOX_API_URL. An identity that is stored on this machine is used only for the account that it belongs to.
func (s *session) holder(ctx context.Context, server *client.Client) (*keys.Holder, error) {
	if s.holderKnown {
		return s.unlocked, nil
	}
	id, anchors, err := s.identity(ctx, server)
	if err != nil {
		return nil, err
	}
	if s.holderKnown = true; id == nil {
		return nil, nil
	}
	memory, err := keys.UserMemory()
	if err != nil {
		if len(anchors) == 0 {
			return nil, err
		}
		memory = keys.MemoryInProcess()
	}
	s.unlocked = s.newHolder(id, memory, anchors)
	return s.unlocked, nil
}

// newHolder returns a holder that asks for confirmations at the terminal. Without a terminal, or with --output json,
// the holder refuses everything that needs a confirmation. The flag --yes does not confirm a fingerprint.
func (s *session) newHolder(id *keys.Identity, memory *keys.Memory, anchors []keys.Anchor) *keys.Holder {
	config := keys.Config{
		Identity: id,
		Memory:   memory,
		Anchors:  anchors,
	}
	if s.output != formatJSON && prompt.Possible() {
		config.ConfirmUser, config.ConfirmAuthor = s.confirmUser, s.confirmAuthor
	}
	return keys.NewHolder(config)
}

// identity returns the identity of the selected account, or nil if no identity is unlocked. An identity in
// LOCKBOX_IDENTITY takes precedence over a stored identity. The comment of holder states when LOCKBOX_IDENTITY is
// ignored. The variable can also contain anchors, which identity returns.
func (s *session) identity(ctx context.Context, server *client.Client) (*keys.Identity, []keys.Anchor, error) {
	if s.profileName == "" && s.environmentMatchesServer() {
		text, err := s.environmentOrFile(identityVariable)
		if err != nil {
			return nil, nil, err
		}
		if text != "" {
			id, anchors, err := keys.ParseBundle(text)
			if err != nil {
				err = &detailedError{prefix: identityVariable + ": ", error: &usageError{err}}
			}
			return id, anchors, err
		}
	}
	stored, ok, err := s.storedIdentity(ctx, server)
	if err != nil || !ok {
		return nil, nil, err
	}
	id, err := keys.ParseIdentity(stored.Text)
	return id, nil, err
}

// storedIdentity returns the identity of the account that the token belongs to, if this identity is unlocked on this
// machine. The profile names the account. If the token comes from the environment, storedIdentity asks the server for
// the account. If no identity is unlocked on this machine, it sends no request.
func (s *session) storedIdentity(ctx context.Context, server *client.Client) (profile.Identity, bool, error) {
	store, err := profile.Identities()
	if err != nil || store.Empty() {
		return profile.Identity{}, false, nil //nolint:nilerr // without a directory there is no identity
	}
	username := s.selected.Username
	if !s.usesProfile || username == "" {
		who, err := server.WhoAmI(ctx)
		if err != nil {
			return profile.Identity{}, false, err
		}
		username = who.Username
	}
	return store.Load(canonicalURL(server.URL()), username)
}

// requireHolder does the same as holder, for commands that need an identity. Without an identity, it returns the error
// of noIdentity.
func (s *session) requireHolder(ctx context.Context, server *client.Client) (*keys.Holder, error) {
	holder, err := s.holder(ctx, server)
	if err == nil && holder == nil {
		err = s.noIdentity(ctx, server)
	}
	return holder, err
}

// noIdentity returns the error for a missing identity. The remedy depends on whether the server already stores an
// identity for the user.
func (s *session) noIdentity(ctx context.Context, server *client.Client) error {
	err := errors.New("you have no identity: create one with lockbox identity create")
	if who, whoErr := server.WhoAmI(ctx); whoErr == nil {
		if _, findErr := server.DescribeIdentity(ctx, who.Username); findErr == nil {
			err = errors.New("your identity is not unlocked on this machine: run lockbox identity unlock")
		}
	}
	return &usageError{err}
}

// keyed returns a client that has the key for the entries of a box. A key from the flags takes precedence. Without such
// a flag, an unlocked identity opens the keyring of the box. If there is no identity or no keyring, the key comes from
// the environment, from the profile or from the user; see encryptionKey.
func (s *session) keyed(ctx context.Context, server *client.Client, box string, forWriting bool) (*client.Client,
	error) {
	key, keyring, err := s.boxKey(ctx, server, box, forWriting)
	if err != nil {
		return nil, err
	}
	if keyring != nil {
		return server.WithIdentity(&fetchedKeys{
			BoxKeys: keyring,
			box:     box,
			key:     key,
			fresh:   true,
		}), nil
	}
	return server.WithEncryptionKey(key), nil
}

// boxKey returns the key for a box, and the holder if the key is from a keyring.
func (s *session) boxKey(ctx context.Context, server *client.Client, box string, forWriting bool) (client.EncryptionKey,
	*keys.Holder, error) {
	if !s.key.isSet() {
		holder, err := s.holder(ctx, server)
		if err != nil {
			return client.EncryptionKey{}, nil, err
		}
		if holder != nil {
			key, err := holder.CurrentKey(ctx, server, box)
			if err != nil || !key.IsZero() {
				return key, holder, s.explainIdentity(ctx, server, holder, err)
			}
		} else if err := s.checkNoKeyring(ctx, server, box); err != nil {
			return client.EncryptionKey{}, nil, err
		}
	}
	if s.defaultKey.IsZero() {
		key, err := s.encryptionKey(ctx, forWriting)
		if err != nil {
			return key, nil, err
		}
		s.defaultKey = key // a command for several boxes asks only once
	}
	return s.defaultKey, nil, nil
}

// explainIdentity replaces the error ErrKeyringTampered if its cause is harmless: the user has replaced the identity on
// another machine, and the old identity on this machine cannot open the keyring.
func (s *session) explainIdentity(ctx context.Context, server *client.Client, holder *keys.Holder, err error) error {
	if !errors.Is(err, client.ErrKeyringTampered) {
		return err
	}
	who, whoErr := server.WhoAmI(ctx)
	if whoErr != nil {
		return err
	}
	found, findErr := server.DescribeIdentity(ctx, who.Username)
	if findErr != nil || found.Fingerprint == holder.Identity().Fingerprint().String() {
		return err
	}
	return &exitError{errors.New("the identity on this machine is not your current identity: " +
		"if you replaced it on another machine, run lockbox identity unlock"), exitConflict}
}

// checkNoKeyring returns an error if the box has a keyring and the command would otherwise ask the user for a key. The
// user could not enter this key, because users never see the key of a keyring. checkNoKeyring reads the keyring from
// the server only if no key is configured. If this request fails, checkNoKeyring returns nil, because the command sends
// a further request, which reports the failure.
func (s *session) checkNoKeyring(ctx context.Context, server *client.Client, box string) error {
	if s.environmentKey().isSet() || s.profileKey().isSet() || !s.defaultKey.IsZero() {
		return nil
	}
	short, cancel := context.WithTimeout(ctx, completionTimeout)
	defer cancel()
	if _, err := server.ReadKeyring(short, box, nil); err != nil {
		return nil //nolint:nilerr // see above
	}
	return &detailedError{prefix: "the box " + box + " has a keyring: ", error: s.noIdentity(ctx, server)}
}

// fetchedKeys is a holder that reuses a key from boxKey. Only the first request uses this key. A command with one
// request therefore fetches the keyring only once.
type fetchedKeys struct {
	client.BoxKeys

	box string
	key client.EncryptionKey

	mu    sync.Mutex
	fresh bool
}

// CurrentKey implements client.BoxKeys.
func (f *fetchedKeys) CurrentKey(ctx context.Context, c *client.Client, box string) (client.EncryptionKey, error) {
	f.mu.Lock()
	first := f.fresh && box == f.box
	f.fresh = f.fresh && !first
	f.mu.Unlock()
	if first {
		return f.key, nil
	}
	return f.BoxKeys.CurrentKey(ctx, c, box)
}

// confirmUser shows the fingerprint of a user and asks whether that user sees the same fingerprint. Only a person can
// answer, because the answer requires a conversation with the user.
func (s *session) confirmUser(ctx context.Context, user keys.UserToConfirm) error {
	s.explain(
		"The fingerprint of "+user.Name+", as the server reports it:",
		"",
		"    "+user.Fingerprint.Display(),
		"",
		"Ask "+user.Name+" to run lockbox identity show.",
		"Compare the two fingerprints by phone or in person, not through a channel that the server controls.",
	)
	agreed, err := prompt.Yes(ctx, printable("Does "+user.Name+" see the same fingerprint?"))
	if err == nil && !agreed {
		err = client.NewKeyError(client.ErrIdentityUnconfirmed, "the fingerprint of "+user.Name+" was not confirmed; "+
			"the user did not get the key", nil)
	}
	return err
}

// confirmAuthor shows the fingerprint of the author of a keyring and asks the user to confirm the fingerprint. It is
// called for a box with client encryption when this machine sees the box for the first time.
func (s *session) confirmAuthor(ctx context.Context, contact keys.FirstContact) error {
	s.explain(
		"The keyring of "+contact.Box+" is new to this machine.",
		"The author of the keyring is "+contact.Author+", with the fingerprint:",
		"",
		"    "+contact.Fingerprint.Display(),
		"",
	)
	agreed, err := prompt.Yes(ctx, printable("Does "+contact.Author+" see the same fingerprint?"))
	if err == nil && !agreed {
		err = client.NewKeyError(client.ErrKeyringAuthorUnknown, "the author of the keyring was not confirmed; "+
			"nothing was sent", nil)
	}
	return err
}

// recently runs a request that the server accepts only if the caller signed in with the password within the last ten
// minutes. It first tries the session of the profile, and asks for the password if that session is too old. It does not
// try an API key, which never satisfies the requirement. With an API key or with fromStdin, it obtains the password at
// once.
func (s *session) recently(ctx context.Context, server *client.Client, who *client.Identity, fromStdin bool,
	request func(*client.Client) error) error {
	if who.Token.Kind != apiKeyKind && !fromStdin {
		if err := request(server); !errors.Is(err, client.ErrRecentSignInRequired) {
			return err
		}
	}
	fresh, err := s.signInAgain(ctx, who.Username, fromStdin)
	if err != nil {
		return err
	}
	return request(fresh)
}

// signInAgain asks for the password of the caller, and for a TOTP code if the account needs one. It returns a client
// that uses the new session. The profile keeps the previous session.
func (s *session) signInAgain(ctx context.Context, username string, fromStdin bool) (*client.Client, error) {
	password, err := s.secret(ctx, secretQuestion{
		fromStdin: fromStdin,
		in:        s.input(ctx),
		ask:       prompt.Hidden,
		text:      "Password of " + username + ": ",
		flag:      "--password-stdin",
	})
	if err != nil {
		return nil, err
	}
	// Use a new client, so that requests fail if the server refuses the new token. The client of the profile would
	// instead repeat them with the token of the profile.
	anonymous, err := s.connect("")
	if err != nil {
		return nil, err
	}
	session, err := s.signInWithPassword(ctx, anonymous, &client.Credentials{Username: username, Password: password})
	if err != nil {
		return nil, err
	}
	return anonymous.WithToken(session.Token), nil
}

// explain prints lines for a person on standard error. The lines may contain names from the server.
func (s *session) explain(lines ...string) {
	for _, line := range lines {
		_, _ = s.errs.Write([]byte(printable(line) + "\n"))
	}
}
