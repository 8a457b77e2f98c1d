package keys

import (
	"context"
	"errors"
	"slices"

	"github.com/lockbox-go/lockbox/client"
)

// Grant names a user who gets a key.
type Grant struct {
	User string
	// Fingerprint is the text that a person typed to confirm the user's fingerprint. It is compared with
	// Fingerprint.Matches. It may be empty. The client remembers a typed fingerprint. It accepts this fingerprint even
	// if a different fingerprint of the user was confirmed before.
	Fingerprint string
}

// CreateBox creates a box with a keyring. The users in grants become members and get the key. Their fingerprints are
// checked before the box is created.
func (h *Holder) CreateBox(ctx context.Context, c *client.Client, box string, grants ...Grant) (Anchor, error) {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return Anchor{}, err
	}
	to, err := h.check(ctx, c, me.installation, nil, grants)
	if err != nil {
		return Anchor{}, err
	}
	if err := c.CreateBox(ctx, box); err != nil {
		return Anchor{}, err
	}
	for _, grant := range grants {
		if err := c.AddBoxUser(ctx, box, grant.User, ""); err != nil {
			return Anchor{}, err
		}
	}
	return h.first(ctx, c, box, me, GenerateBoxKey(), to)
}

// CreateKeyring makes the first keyring of a box that has no entries. The users in grants must already be members of
// the box.
func (h *Holder) CreateKeyring(ctx context.Context, c *client.Client, box string, grants ...Grant) (Anchor, error) {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return Anchor{}, err
	}
	to, err := h.check(ctx, c, me.installation, nil, grants)
	if err != nil {
		return Anchor{}, err
	}
	return h.first(ctx, c, box, me, GenerateBoxKey(), to)
}

// The method named first makes the initial keyring of a box and stores it on the server.
func (h *Holder) first(ctx context.Context, c *client.Client, box string, me caller, key BoxKey, to []To) (Anchor,
	error) {
	described, err := c.DescribeBox(ctx, box)
	if err != nil {
		return Anchor{}, err
	}
	id, err := ParseID(described.ID)
	if err != nil {
		return Anchor{}, err
	}
	if described.Encryption == ModeClient.String() {
		return Anchor{}, fault(client.ErrClientEncryption,
			"the box has client encryption, which this release does not support: use a newer release", nil)
	}
	made, err := Build(Plan{
		Place:    Place{Installation: me.installation, Box: id, Mode: ModeServer},
		Sequence: 1,
		Key:      key,
		Author:   h.config.Identity,
		To:       append([]To{{me.user, h.config.Identity.Public()}}, to...),
	})
	if err != nil {
		return Anchor{}, err
	}
	s, err := h.publish(ctx, c, box, &draft{Opened: made}, "")
	if err != nil {
		return Anchor{}, err
	}
	return s.Anchor(), nil
}

// Adopt makes a keyring for a box whose members already share a key that they passed on by hand. The shared key becomes
// the first key of the keyring, and Adopt immediately replaces it with a new key. Versions under the old key stay
// readable for all recipients. Adopt first tries to read up to three entries with the shared key. It returns
// ErrEncryptionKeyMismatch if the key opens none of these entries. If Adopt was interrupted, call it again.
func (h *Holder) Adopt(ctx context.Context, c *client.Client, box string, key client.EncryptionKey) error {
	old, ok := BoxKeyOf(key)
	if !ok {
		return fault(client.ErrKeyringInvalid, "only a generated key (lbk1_…) can be adopted: "+
			"if the box is encrypted with a passphrase, create a new box with a keyring and copy the entries", nil)
	}
	if err := opensEntries(ctx, c.WithIdentity(nil), box, key); err != nil {
		return err
	}
	s, err := h.current(ctx, c, box)
	if err != nil {
		return err
	}
	if s == nil {
		me, err := h.whoAmI(ctx, c)
		if err != nil {
			return err
		}
		if _, err := h.first(ctx, c, box, me, old, nil); err != nil {
			return err
		}
	} else if !s.Key.Equal(old) {
		return fault(client.ErrKeyringInvalid, "the box "+box+" has a keyring already", nil)
	}
	_, err = h.Rekey(ctx, c, box)
	return err
}

// opensEntries tries to decrypt up to three entries of a box with the given key. The entries of a box can be encrypted
// under different keys. The key therefore need not decrypt each of them: one is enough.
func opensEntries(ctx context.Context, c *client.Client, box string, key client.EncryptionKey) error {
	names, err := c.ListEntries(ctx, box, "")
	if err != nil {
		return err
	}
	for _, name := range names[:min(3, len(names))] {
		_, err = c.ReadEntry(ctx, box, name, &client.ReadOptions{EncryptionKey: key})
		if err == nil || !errors.Is(err, client.ErrEncryptionKeyMismatch) {
			return err
		}
	}
	return err
}

// Granted is the result of Grant.
type Granted struct {
	// Anchor is the anchor of the box. The new member can pass it to Memory.Trust.
	Anchor Anchor
	// KeyChanged is true if Grant changed the key. Grant changes it only if a key change is due. Dropped lists the
	// recipients who lost the key in this change. According to the server, they are no longer active members or have
	// replaced their identity.
	KeyChanged bool
	Dropped    []client.KeyringUser
}

// Grant wraps the key of a box to a member. If a key change is due, the server would refuse a keyring with the old key,
// so Grant also changes the key. If the member already has the key, Grant changes nothing. Grant adds no user except
// the one in the argument grant, whatever the server reports.
func (h *Holder) Grant(ctx context.Context, c *client.Client, box string, grant Grant) (Granted, error) {
	var granted Granted
	s, err := h.update(ctx, c, box, func(s *state) (*draft, error) {
		to, err := h.check(ctx, c, s.Head.Installation, s.Recipients, []Grant{grant})
		if err != nil {
			return nil, err
		}
		if _, ok := s.Recipient(to[0].Public.Fingerprint()); ok {
			return nil, nil
		}
		granted.KeyChanged = len(s.stored.Due) > 0
		if granted.KeyChanged {
			var next *draft
			next, granted.Dropped, err = h.rekeyed(ctx, c, s, noOne, to...)
			return next, err
		}
		made, err := Build(Plan{
			Place:    s.Head.Place,
			Sequence: s.Head.Sequence + 1,
			Key:      s.Key,
			Earlier:  s.Earlier,
			Author:   h.config.Identity,
			To:       to,
			Kept:     s.Recipients,
		})
		return &draft{Opened: made}, err
	})
	if err != nil {
		return Granted{}, err
	}
	granted.Anchor = s.Anchor()
	return granted, nil
}

// noOne recognizes no recipient.
func noOne(Recipient) bool { return false }

// Removed is the result of Remove.
type Removed struct {
	// KeyChanged reports whether the key changed in the transaction that removed the member. If the key did not change
	// and the box has a keyring, the server marks the box as "key change due".
	KeyChanged bool
	// Dropped lists the recipients who lost the key in addition to the removed member. According to the server, they
	// are no longer active members or have replaced their identity.
	Dropped []client.KeyringUser
}

// Remove removes a member from a box and changes the key, in one request. If the caller does not have the key of the
// box, Remove removes the member and does not change the key. A removed member keeps all values that the member has
// read before.
func (h *Holder) Remove(ctx context.Context, c *client.Client, box, username string) (Removed, error) {
	member, err := c.DescribeBoxUser(ctx, box, username)
	if err != nil {
		return Removed{}, err
	}
	var dropped []client.KeyringUser
	_, err = h.update(ctx, c, box, func(s *state) (*draft, error) {
		leaves, err := h.leaving(s.Head.Installation, username, member.ID)
		if err != nil {
			return nil, err
		}
		var next *draft
		next, dropped, err = h.rekeyed(ctx, c, s, leaves)
		if err == nil {
			next.remove = []string{username}
		}
		return next, err
	})
	if errors.Is(err, client.ErrNotRecipient) || errors.Is(err, client.ErrNoKeyring) {
		return Removed{}, c.RemoveBoxUser(ctx, box, username)
	}
	return Removed{KeyChanged: err == nil, Dropped: dropped}, err
}

// leaving returns a function that reports whether a recipient is the user whom Remove removes. The function compares
// the id of the user, and the fingerprints that were confirmed for the user's name. The id is not enough: the removed
// user must lose the key even if the server reports a wrong id.
func (h *Holder) leaving(in ID, name, id string) (func(Recipient) bool, error) {
	user, err := ParseID(id)
	if err != nil {
		return nil, err
	}
	pinned, ok, err := h.config.Memory.User(in, name)
	if err != nil {
		return nil, err
	}
	if ok && pinned.ID != user {
		return nil, userReplaced(name)
	}
	return func(r Recipient) bool { return r.User == user || slices.Contains(pinned.Fingerprints, r.Fingerprint) }, nil
}

// Rekey gives a box a new key. It drops each recipient whom the server reports as due: the recipient is no longer an
// active member, or has replaced the identity that is in the keyring. The server would refuse a keyring with such a
// recipient. Rekey returns the dropped recipients. A value stays under its old key until it is written again or Rewrite
// re-encrypts it.
func (h *Holder) Rekey(ctx context.Context, c *client.Client, box string) (dropped []client.KeyringUser, err error) {
	_, err = h.update(ctx, c, box, func(s *state) (next *draft, err error) {
		next, dropped, err = h.rekeyed(ctx, c, s, noOne)
		return next, err
	})
	return dropped, err
}

// rekeyed returns a keyring with a new key. Its recipients are the users in add and the recipients of s. A recipient of
// s loses the key if the function leaves returns true for the recipient, or if the server reports the recipient as due.
// The second result lists the due recipients who lose the key. The author always stays a recipient.
func (h *Holder) rekeyed(ctx context.Context, c *client.Client, s *state, leaves func(Recipient) bool,
	add ...To) (*draft, []client.KeyringUser, error) {
	var stay []Recipient
	var dropped []client.KeyringUser
	for _, each := range s.Recipients {
		due := slices.IndexFunc(s.stored.Due, func(user client.KeyringUser) bool {
			return user.Fingerprint == each.Fingerprint.String()
		})
		switch {
		case each.Fingerprint == h.config.Identity.Fingerprint():
			stay = append(stay, each)
		case leaves(each):
		case due >= 0:
			dropped = append(dropped, s.stored.Due[due])
		default:
			stay = append(stay, each)
		}
	}
	to, err := publicKeys(ctx, c, stay)
	if err != nil {
		return nil, nil, err
	}
	made, err := Build(Plan{
		Place:    s.Head.Place,
		Sequence: s.Head.Sequence + 1,
		Key:      GenerateBoxKey(),
		Earlier:  append(slices.Clone(s.Earlier), s.Key),
		Author:   h.config.Identity,
		To:       append(to, add...),
	})
	return &draft{Opened: made}, dropped, err
}
