package keys

import (
	"context"
	"slices"

	"github.com/lockbox-go/lockbox/client"
)

// Members describes who can open a box.
type Members struct {
	Anchor   Anchor
	Sequence uint64
	Author   Fingerprint
	// Recipients have the key, as the verified keyring states. Their names are those of the server.
	Recipients []client.KeyringUser
	// Waiting are members without a key, Due recipients who should lose it, and Past the earlier keyrings, as the server
	// reports them. Nothing follows from them without the user.
	Waiting      []client.KeyringUser
	Due          []client.KeyringUser
	KeyChangeDue bool
	Past         []client.PastKeyring
}

// Members returns the recipients of a box's keyring, after verifying it.
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

// Repair puts back the newest keyring that this client remembers, after the server's database was restored from an older
// backup. The recipients are those of the remembered keyring if this client has seen them all, without the users that
// are named; otherwise the caller is the only recipient and must grant the others. A member whose removal was lost by
// the restore does not become a recipient again.
func (h *Holder) Repair(ctx context.Context, c *client.Client, box string, without ...string) error {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return err
	}
	known, ok, err := h.config.Memory.Box(me.installation, box)
	if err != nil {
		return err
	}
	last := h.recall(c, box)
	if !ok || last == nil {
		return client.NewKeyError(client.ErrKeyringMissing,
			"this client does not have the keyring of the box "+box+": repair it on another machine", nil)
	}
	stored, err := c.ReadKeyring(ctx, box, &client.KeyringOptions{Recipients: true})
	if isMissing(err) {
		stored, err = &client.StoredKeyring{}, nil
	}
	if err != nil {
		return err
	}
	if head, ok := ParseHead(stored.Head); ok && head.Sequence >= known.Sequence {
		return client.NewKeyError(client.ErrKeyringSequence,
			"the server's keyring of the box "+box+" is not older than the one that this client has: nothing to repair", nil)
	}
	leaves := func(Recipient) bool { return false }
	for _, name := range without {
		member, err := c.DescribeBoxUser(ctx, box, name)
		if err != nil {
			return err
		}
		one, err := h.leaving(me.installation, name, member.ID)
		if err != nil {
			return err
		}
		before := leaves
		leaves = func(r Recipient) bool { return before(r) || one(r) }
	}
	made, err := Build(h.repaired(last, me, leaves))
	if err != nil {
		return err
	}
	_, err = h.publish(ctx, c, box, &draft{Opened: made}, stored.ETag)
	return err
}

// repaired returns the plan of a keyring that continues the remembered one. Under the same key, wrapped keys stay valid,
// so a recipient who leaves needs a new key, which the caller makes afterwards with Rekey.
func (h *Holder) repaired(last *state, me caller, leaves func(Recipient) bool) Plan {
	plan := Plan{
		Place:    last.Head.Place,
		Sequence: last.Head.Sequence + 1,
		Key:      last.Key,
		Earlier:  last.Earlier,
		Author:   h.config.Identity,
		Kept:     slices.DeleteFunc(slices.Clone(last.Recipients), leaves),
	}
	if len(plan.Kept) == 0 {
		plan.To = []To{{me.user, h.config.Identity.Public()}}
	}
	return plan
}

// Reset replaces a keyring that no member can open by one with a fresh key and no earlier keys. Values under the lost
// key stay lost. It requires the role of the box's owner or of an admin. The users of grants must be members. Every
// client, also this one, reports ErrKeyringNotContinued until it forgets the box; Reset forgets it here.
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
		return Anchor{}, client.NewKeyError(client.ErrBoxReplaced, "the box "+box+" is not the box that had this name "+
			"before: if it was created anew, run lockbox box forget "+box, nil)
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

// Forget forgets a box, so that its next keyring is accepted as a first one. Call it only after the user confirmed that
// the box was created anew or its keyring reset.
func (h *Holder) Forget(ctx context.Context, c *client.Client, box string) error {
	me, err := h.whoAmI(ctx, c)
	if err != nil {
		return err
	}
	h.store(c, box, nil)
	return h.config.Memory.Forget(me.installation, box)
}
