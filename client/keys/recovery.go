package keys

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/client"
)

// Members describes who can open a box.
type Members struct {
	Anchor   Anchor
	Sequence uint64
	Author   Fingerprint
	// Recipients are the users who have the key according to the verified keyring. Their names come from the server.
	Recipients []client.KeyringUser
	// Waiting are members without the key, Due are recipients who should lose the key, and Past are the earlier
	// keyrings. The server reports these lists without proof. A program must not act on them before the user confirms
	// them.
	Waiting      []client.KeyringUser
	Due          []client.KeyringUser
	KeyChangeDue bool
	Past         []client.PastKeyring
}

// Members verifies the keyring of a box and returns who can open the box.
func (h *Holder) Members(ctx context.Context, c *client.Client, box string) (*Members, error) {
	s, err := h.all(ctx, c, box)
	if err != nil {
		return nil, err
	}
	if s == nil {
		return nil, noKeyring(box)
	}
	members := &Members{
		Anchor:       s.Anchor(),
		Sequence:     s.Head.Sequence,
		Author:       s.Head.Author,
		Waiting:      s.stored.Waiting,
		Due:          s.stored.Due,
		KeyChangeDue: s.stored.KeyChangeDue,
		Past:         s.stored.Past,
	}
	for _, each := range s.stored.Recipients {
		members.Recipients = append(members.Recipients, each.KeyringUser)
	}
	return members, nil
}

// Repair is for a box whose keyring is too old or missing, because the server's database was restored from an older
// backup. Repair stores a new keyring that follows the newest keyring that this client remembers. The new keyring has a
// new key and contains all remembered keys. The recipients of the remembered keyring stay if they are still active
// members with the same identity. Repair drops the other recipients and returns them.
//
// If this client has never fetched the list of recipients, the caller becomes the only recipient and must grant the key
// to the others. A member who was removed after the backup is a member again in the restored database, but does not
// become a recipient again.
func (h *Holder) Repair(ctx context.Context, c *client.Client, box string) (dropped []client.KeyringUser, err error) {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return nil, err
	}
	last := h.recall(c, box)
	if last == nil {
		return nil, fault(client.ErrKeyringMissing,
			"this client does not have the keyring of the box "+box+": "+
				"repair the box on a machine that has its keyring", nil)
	}
	stored, err := c.ReadKeyring(ctx, box, nil)
	if isMissing(err) {
		stored, err = &client.StoredKeyring{}, nil
	}
	if err != nil {
		return nil, err
	}
	if head, ok := ParseHead(stored.Head); ok && head.Sequence >= last.Head.Sequence {
		return nil, fault(client.ErrKeyringSequence,
			"the server's keyring of the box "+box+
				" is not older than this client's keyring, so there is nothing to repair", nil)
	}
	if last.stored.Due, err = h.stale(ctx, c, box, last.Recipients); err != nil {
		return nil, err
	}
	self := To{me.user, h.config.Identity.Public()}
	var add []To
	if _, ok := last.Recipient(self.Public.Fingerprint()); !ok {
		add = []To{self}
	}
	next, dropped, err := h.rekeyed(ctx, c, last, noOne, add...)
	if err != nil {
		return nil, err
	}
	_, err = h.publish(ctx, c, box, next, stored.ETag)
	return dropped, err
}

// stale returns the recipients who are no longer active members of a box, or who have replaced their identity.
func (h *Holder) stale(ctx context.Context, c *client.Client, box string, recipients []Recipient) ([]client.KeyringUser,
	error) {
	found := make([]*client.KeyringUser, len(recipients))
	err := each(ctx, len(recipients), maxFetches, func(ctx context.Context, i int) error {
		fingerprint := recipients[i].Fingerprint.String()
		identity, err := c.FindIdentity(ctx, fingerprint)
		if err == nil && identity.User != "" {
			var member *client.BoxUser
			member, err = c.DescribeBoxUser(ctx, box, identity.User)
			if err == nil && member.IsActive {
				identity, err = c.DescribeIdentity(ctx, identity.User)
				if err == nil && identity.Fingerprint == fingerprint {
					return nil
				}
			}
		}
		if err != nil && !errors.Is(err, client.ErrNotFound) {
			return err
		}
		found[i] = &client.KeyringUser{UserID: recipients[i].User.String(), Fingerprint: fingerprint}
		if identity != nil {
			found[i].User = identity.User
		}
		return nil
	})
	var stale []client.KeyringUser
	for _, each := range found {
		if each != nil {
			stale = append(stale, *each)
		}
	}
	return stale, err
}

// Regain makes the caller's current identity a recipient of the keyring. The last argument is another identity that can
// open the keyring: a former identity of the caller, or the identity of a recovery user. The key changes, and the
// caller's former identities do not get the new key. The caller must have the role boxadmin. One of the caller's
// identities must be a recipient of the stored keyring, even if the last argument is the identity of a recovery user.
// If the current identity is a recipient already, Regain changes nothing.
func (h *Holder) Regain(ctx context.Context, c *client.Client, box string,
	with *Identity) (dropped []client.KeyringUser, err error) {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return nil, err
	}
	stored, err := c.ReadKeyring(ctx, box, &client.KeyringOptions{Recipients: true})
	if err != nil {
		return nil, err
	}
	s, err := openWith(stored, with)
	if err != nil {
		return nil, err
	}
	if _, ok := s.Recipient(h.config.Identity.Fingerprint()); ok {
		return nil, nil
	}
	if s, err = h.accept(ctx, c, box, s); err != nil {
		return nil, err
	}
	own := func(r Recipient) bool { return r.User == me.user }
	next, dropped, err := h.rekeyed(ctx, c, s, own, To{me.user, h.config.Identity.Public()})
	if err != nil {
		return nil, err
	}
	_, err = h.publish(ctx, c, box, next, stored.ETag)
	return dropped, err
}

// openWith opens a keyring with the given identity, which must be a recipient.
func openWith(stored *client.StoredKeyring, with *Identity) (*state, error) {
	k, err := parseStored(stored)
	if err != nil {
		return nil, err
	}
	own, ok := k.Recipient(with.Fingerprint())
	if !ok {
		return nil, fault(client.ErrNotRecipient,
			"the identity "+with.Fingerprint().Display()+" has no key of this box", nil)
	}
	o, err := k.Open(with, own.Wrapped)
	if err != nil {
		return nil, err
	}
	return &state{o, stored}, nil
}

// Reset replaces a keyring that no member can open. The new keyring has a fresh key and no earlier keys. Values that
// are encrypted under the lost key stay lost. The caller must be the box's owner or an admin. The users in grants must
// already be members of the box. Every other client that knows the box refuses the new keyring with
// ErrKeyringNotContinued. To accept it, each of these clients must call Forget. Reset itself updates the memory of this
// client.
func (h *Holder) Reset(ctx context.Context, c *client.Client, box string, grants ...Grant) (Anchor, error) {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return Anchor{}, err
	}
	stored, err := c.ReadKeyring(ctx, box, nil)
	if err != nil {
		return Anchor{}, err
	}
	head, ok := ParseHead(stored.Head)
	if !ok {
		return Anchor{}, tampered("its head is malformed")
	}
	known, _, err := h.config.Memory.Box(me.installation, box)
	if err != nil {
		return Anchor{}, err
	}
	to, err := h.check(ctx, c, me.installation, nil, grants)
	if err != nil {
		return Anchor{}, err
	}
	described, err := c.DescribeBox(ctx, box)
	if err != nil {
		return Anchor{}, err
	}
	id, err := ParseID(described.ID)
	if err != nil {
		return Anchor{}, err
	}
	if known != (KnownBox{}) && known.ID != id {
		return Anchor{}, fault(client.ErrBoxReplaced, "the box "+box+" is not the box that had this name before: "+
			"if a new box was created under this name, run lockbox box forget "+box, nil)
	}
	made, err := Build(Plan{
		Place:    Place{Installation: me.installation, Box: id, Mode: known.Mode},
		Sequence: max(head.Sequence, known.Sequence) + 1,
		Key:      GenerateBoxKey(),
		Author:   h.config.Identity,
		To:       append([]To{{me.user, h.config.Identity.Public()}}, to...),
	})
	if err != nil {
		return Anchor{}, err
	}
	s, err := h.publish(ctx, c, box, &draft{Opened: made, reset: true}, stored.ETag)
	if err != nil {
		return Anchor{}, err
	}
	return s.Anchor(), nil
}

// Forget deletes everything that the client remembers about a box. The next keyring is then accepted as the first
// keyring of the box. Call it only after the user confirmed that the box was created anew or that its keyring was
// reset.
func (h *Holder) Forget(ctx context.Context, c *client.Client, box string) error {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return err
	}
	h.store(c, box, nil)
	return h.config.Memory.Forget(me.installation, box)
}
