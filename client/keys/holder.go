package keys

import (
	"context"
	"errors"
	"sync"

	"github.com/lockbox-go/lockbox/client"
)

// Config configures a Holder.
type Config struct {
	// Identity opens the keyrings. It is required.
	Identity *Identity
	// Memory holds what the client remembers about users and boxes. It is required. A program that has Anchors can use
	// MemoryInProcess.
	Memory *Memory
	// Anchors are trusted in addition to Memory. For a box with an anchor, Memory need not be writable.
	Anchors []Anchor
	// ConfirmAuthor asks the user to confirm the author of a keyring. It is called for a box with client encryption if
	// the box is new to this client and there is no anchor for it. It returns nil if the user confirmed the fingerprint
	// of the author, and an error to refuse the keyring. If ConfirmAuthor is nil, the client refuses such a keyring
	// with ErrKeyringAuthorUnknown.
	ConfirmAuthor func(ctx context.Context, contact FirstContact) error
	// ConfirmUser asks the user of the client to confirm the fingerprint of another user before a key is wrapped for
	// that user. It is not called if Grant.Fingerprint is set, or if Memory or the keyring already contains a
	// fingerprint of that user. It returns nil if the fingerprint was confirmed, and an error to refuse it. If
	// ConfirmUser is nil, the client refuses an unknown fingerprint with ErrIdentityUnconfirmed.
	ConfirmUser func(ctx context.Context, user UserToConfirm) error
}

// FirstContact describes the keyring of a box that is new to this client.
type FirstContact struct {
	Box string
	// Author is the name of the author according to the server. The client verifies Fingerprint but not this name.
	Author      string
	Fingerprint Fingerprint
	Key         KeyID
}

// UserToConfirm is a user whose fingerprint must be compared.
type UserToConfirm struct {
	Name        string
	Fingerprint Fingerprint
}

// Holder holds an identity and the verified keyrings that this identity opens. It implements client.BoxKeys. Methods
// such as Grant and Rekey change keyrings. A Holder is safe for concurrent use.
type Holder struct {
	config Config

	mu    sync.Mutex
	cache map[cacheKey]*state
}

var _ client.BoxKeys = (*Holder)(nil)

type cacheKey struct{ url, box string }

// state is an accepted keyring.
type state struct {
	*Opened

	stored *client.StoredKeyring
}

// NewHolder returns a Holder. It panics without an identity or a memory.
func NewHolder(config Config) *Holder {
	if config.Identity == nil || config.Memory == nil {
		panic("keys: Config needs an Identity and a Memory")
	}
	return &Holder{config: config, cache: map[cacheKey]*state{}}
}

// Identity returns the identity.
func (h *Holder) Identity() *Identity { return h.config.Identity }

// Memory returns the memory.
func (h *Holder) Memory() *Memory { return h.config.Memory }

// CurrentKey implements client.BoxKeys. A nil Holder treats every box as a box without a keyring. HolderFromEnv returns
// a nil Holder if the environment has no identity.
func (h *Holder) CurrentKey(ctx context.Context, c *client.Client, box string) (client.EncryptionKey, error) {
	if h == nil {
		return client.EncryptionKey{}, nil
	}
	s, err := h.current(ctx, c, box)
	if err != nil || s == nil {
		return client.EncryptionKey{}, err
	}
	if err := s.sendable(); err != nil {
		return client.EncryptionKey{}, err
	}
	return s.Key.EncryptionKey(), nil
}

// sendable returns an error if the box has client encryption. The key of such a box must not be sent to the server.
func (s *state) sendable() error {
	if s.Head.Mode == ModeServer {
		return nil
	}
	return fault(client.ErrClientEncryption, "the box has client encryption, so its key is not sent to the server; "+
		"this release does not support client encryption: use a newer release", nil)
}

// KeyByID implements client.BoxKeys. KeyByID never returns a key of another box, even if the server sends the id of
// such a key.
func (h *Holder) KeyByID(ctx context.Context, c *client.Client, box, id string) (client.EncryptionKey, error) {
	s := h.cached(c, box)
	if id == "" {
		// Versions without a key id are older than the keyring. Adopt stored the key of these versions as the first key
		// of the chain.
		if s == nil || len(s.Earlier) == 0 || s.sendable() != nil {
			return client.EncryptionKey{}, nil
		}
		return s.Earlier[0].EncryptionKey(), nil
	}
	wanted, err := ParseKeyID(id)
	if err != nil {
		return client.EncryptionKey{}, foreignKey(err)
	}
	for range 2 {
		if s != nil && s.sendable() == nil {
			if key, ok := s.Find(wanted); ok {
				return key.EncryptionKey(), nil
			}
		}
		// The key may have changed after the keyring was fetched.
		if s, err = h.current(ctx, c, box); err != nil {
			return client.EncryptionKey{}, err
		}
	}
	return client.EncryptionKey{}, foreignKey(nil)
}

func foreignKey(cause error) error {
	return fault(client.ErrKeyNotForThisBox, "the value is encrypted under a key that is not in the box's keyring: "+
		"if you have that key, pass it in the options of the call", cause)
}

// cached returns the keyring of the box that h accepted last, or nil if h has accepted none.
func (h *Holder) cached(c *client.Client, box string) *state {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cache[cacheKey{c.URL(), box}]
}

func (h *Holder) store(c *client.Client, box string, s *state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cache[cacheKey{c.URL(), box}] = s
}

// current fetches the keyring of a box and accepts it. The server does not send an unchanged keyring again. If the box
// has no keyring, current returns nil. If the memory shows that the box had a keyring, current returns
// ErrKeyringMissing instead.
func (h *Holder) current(ctx context.Context, c *client.Client, box string) (*state, error) {
	s, err := h.fetch(ctx, c, box)
	if errors.Is(err, client.ErrKeyringRolledBack) {
		// Another process may have remembered a newer keyring after this one was fetched.
		h.store(c, box, nil)
		s, err = h.fetch(ctx, c, box)
	}
	return s, err
}

func (h *Holder) fetch(ctx context.Context, c *client.Client, box string) (*state, error) {
	last := h.cached(c, box)
	if last == nil {
		last = h.recall(c, box)
	}
	options := &client.KeyringOptions{}
	if last != nil {
		options.IfNoneMatch = last.stored.ETag
	}
	stored, err := c.ReadKeyring(ctx, box, options)
	switch {
	case errors.Is(err, client.ErrNotModified) && last != nil:
		// Verify even an unchanged keyring against the memory, because another process may have accepted a newer one.
		return h.accept(ctx, c, box, last)
	case isMissing(err):
		return nil, h.missing(c, box)
	case err != nil:
		return nil, err
	}
	return h.verify(ctx, c, box, stored)
}

// The method named all fetches the keyring of a box together with the list of recipients, and accepts it. It returns
// nil for a box without a keyring.
func (h *Holder) all(ctx context.Context, c *client.Client, box string) (*state, error) {
	s, err := h.fetchAll(ctx, c, box)
	if errors.Is(err, client.ErrKeyringRolledBack) {
		s, err = h.fetchAll(ctx, c, box) // as in current
	}
	return s, err
}

func (h *Holder) fetchAll(ctx context.Context, c *client.Client, box string) (*state, error) {
	stored, err := c.ReadKeyring(ctx, box, &client.KeyringOptions{Recipients: true})
	if isMissing(err) {
		return nil, h.missing(c, box)
	}
	if err != nil {
		return nil, err
	}
	s, err := h.verify(ctx, c, box, stored)
	if err == nil && len(s.Recipients) == 0 {
		return nil, tampered("the server sent no recipients")
	}
	return s, err
}

// isMissing reports whether an error means that a box has no keyring. Servers of earlier releases do not know requests
// for keyrings, so they return route_not_found.
func isMissing(err error) bool {
	failure, ok := errors.AsType[*client.Error](err)
	return ok && failure.Status == 404 && (failure.Code == "keyring_not_found" || failure.Code == "route_not_found")
}

// The method named missing is called if the server has no keyring of a box. It returns ErrKeyringMissing if the memory
// shows that the box had a keyring. Otherwise it returns nil.
func (h *Holder) missing(c *client.Client, box string) error {
	in, ok, err := h.config.Memory.Installation(c.URL())
	if err != nil || !ok {
		return err
	}
	if _, ok, err = h.config.Memory.Box(in, box); err != nil || !ok {
		return err
	}
	return fault(client.ErrKeyringMissing, "the box "+box+" had a keyring, and the server has none now; "+
		"nothing was sent; after a database restore, run lockbox box repair "+box+
		"; if the box was created anew, run lockbox box forget "+box, nil)
}

// recall returns the keyring that an earlier process stored, if this identity can open the keyring. Otherwise it
// returns nil, and the caller fetches the keyring.
func (h *Holder) recall(c *client.Client, box string) *state {
	in, ok, err := h.config.Memory.Installation(c.URL())
	if err != nil || !ok {
		return nil
	}
	known, ok, err := h.config.Memory.Box(in, box)
	if err != nil || !ok {
		return nil
	}
	kept, ok := h.config.Memory.kept(in, known.ID)
	if !ok || kept.ETag == "" {
		return nil
	}
	s, err := h.open(kept.stored())
	if err != nil || s.Head.Installation != in || s.Head.Box != known.ID ||
		Fingerprint(s.digest()) != known.Digest {
		return nil
	}
	return s
}

// verify opens a keyring and accepts it.
func (h *Holder) verify(ctx context.Context, c *client.Client, box string, stored *client.StoredKeyring) (*state,
	error) {
	if len(stored.Wrapped) == 0 {
		return nil, fault(client.ErrNotRecipient, "you have no key of the box "+box+
			": ask a member who has the key to run lockbox box grant "+box+" with your user name", nil)
	}
	s, err := h.open(stored)
	if err != nil {
		return nil, err
	}
	return h.accept(ctx, c, box, s)
}

// open parses and opens a keyring of the server, without comparing it with the memory.
func (h *Holder) open(stored *client.StoredKeyring) (*state, error) {
	k, err := parseStored(stored)
	if err != nil {
		return nil, err
	}
	o, err := k.Open(h.config.Identity, stored.Wrapped)
	if err != nil {
		return nil, err
	}
	return &state{o, stored}, nil
}
