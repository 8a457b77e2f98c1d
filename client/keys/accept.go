package keys

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/lockbox-go/lockbox/client"
)

// accept compares an opened keyring with everything that the client knows about the box, and remembers the keyring. No
// key of a keyring may be used before accept succeeds.
func (h *Holder) accept(ctx context.Context, c *client.Client, box string, s *state) (*state, error) {
	if err := h.firstContact(ctx, c, box, s); err != nil {
		return nil, err
	}
	err := h.config.Memory.change(func(k *known) error { return h.advance(k, c.URL(), box, s) })
	if errors.Is(err, client.ErrMemoryUnwritable) && h.anchored(s) {
		// The box has an anchor, so compare the keyring without storing it.
		var k *known
		if k, err = h.config.Memory.load(); err != nil {
			k = &known{}
		}
		err = h.advance(k, c.URL(), box, s)
	}
	if err != nil {
		return nil, err
	}
	if h.cached(c, box) == s {
		return s, nil // already kept; do not write it again, because its file can be large
	}
	old, _ := h.config.Memory.kept(s.Head.Installation, s.Head.Box)
	if next := rememberedOf(s.stored, old); !next.equal(old) {
		_ = h.config.Memory.keep(s.Head.Place, next) // a failure only costs a request later
	}
	h.store(c, box, s)
	return s, nil
}

// firstContact asks the user to confirm the author of the keyring if the box is new to this client. It asks only about
// boxes with client encryption: in a box with server encryption, the server sees the key anyway. It does not ask if
// there is an anchor for the box.
func (h *Holder) firstContact(ctx context.Context, c *client.Client, box string, s *state) error {
	if s.Head.Mode != ModeClient || h.anchored(s) {
		return nil
	}
	k, err := h.config.Memory.load()
	if err != nil {
		return err
	}
	at := k.at(s.Head.Installation)
	if _, ok := at.Boxes[box]; ok || at.Anchors[s.Head.Box] != "" {
		return nil
	}
	// Do not ask the user to confirm a keyring that the client would refuse even after the confirmation.
	if err := h.advance(k, c.URL(), box, s); err != nil {
		return err
	}
	if h.config.ConfirmAuthor == nil {
		return fault(client.ErrKeyringAuthorUnknown, "this client sees the box "+box+" for the first time: "+
			"run the command at a terminal, where you can confirm the fingerprint of the keyring's author, "+
			"or run lockbox box trust with an anchor (lba1_…)", nil)
	}
	return h.config.ConfirmAuthor(ctx, FirstContact{
		Box:         box,
		Author:      s.stored.Author.User,
		Fingerprint: s.Head.Author,
		Key:         s.Head.Key,
	})
}

// anchored reports whether Config has an anchor for the box.
func (h *Holder) anchored(s *state) bool {
	return slices.ContainsFunc(h.config.Anchors, func(a Anchor) bool { return a.Box == s.Head.Box })
}

// advance verifies a keyring against the anchors and against k, which is the memory of the client. If the keyring is
// acceptable, advance records it in k.
func (h *Holder) advance(k *known, url, box string, s *state) error {
	if err := k.checkPlace(url, s.Head.Installation); err != nil {
		return err
	}
	in := k.at(s.Head.Installation)
	for _, anchor := range h.config.Anchors {
		if err := s.follows(anchor); err != nil {
			return err
		}
	}
	if text := in.Anchors[s.Head.Box]; text != "" {
		anchor, err := ParseAnchor(text)
		if err == nil {
			err = s.follows(anchor)
		}
		if err != nil {
			return err
		}
	}
	if err := s.continues(in, box); err != nil {
		return err
	}
	in.URL = url
	delete(in.Anchors, s.Head.Box)
	in.Boxes[box] = KnownBox{
		ID:       s.Head.Box,
		Mode:     s.Head.Mode,
		Key:      s.Head.Key,
		Sequence: s.Head.Sequence,
		Digest:   s.digest(),
	}
	return nil
}

// The continues method verifies that the keyring is the remembered keyring of the box or a later one. If no box with
// this name is remembered, the method verifies that the box is not remembered under another name.
func (s *state) continues(in *installation, box string) error {
	last, ok := in.Boxes[box]
	if !ok {
		for name, other := range in.Boxes {
			if other.ID == s.Head.Box {
				return fault(client.ErrBoxReplaced, "the server presents the box "+name+" as "+box+
					"; nothing was sent; check whether this is the right server", nil)
			}
		}
		return nil
	}
	switch {
	case last.ID != s.Head.Box:
		return fault(client.ErrBoxReplaced, "the box "+box+" is not the box that had this name before; "+
			"nothing was sent; if a new box was created under this name, run lockbox box forget "+box, nil)
	case last.Mode != s.Head.Mode:
		return modeChanged(box)
	case s.Head.Sequence < last.Sequence:
		return fault(client.ErrKeyringRolledBack, fmt.Sprintf("the keyring of the box %s has the number %d, "+
			"but this client has already seen a keyring with the number %d; nothing was sent; "+
			"after a database restore, run lockbox box repair %s",
			box, s.Head.Sequence, last.Sequence, box), nil)
	case s.Head.Sequence == last.Sequence && Fingerprint(s.digest()) != last.Digest:
		return fault(client.ErrKeyringForked, fmt.Sprintf("the keyring of the box %s with the number %d "+
			"differs from the keyring that this client has seen under this number; nothing was sent; "+
			"run lockbox box keyring %s, and compare its key id with the key id that another member sees",
			box, s.Head.Sequence, box), nil)
	}
	return s.contains(last.Key)
}

// The follows method compares the keyring with an anchor, and returns an error if they do not match. It ignores an
// anchor of another box.
func (s *state) follows(anchor Anchor) error {
	switch {
	case anchor.Box != s.Head.Box:
		return nil
	case anchor.Mode != s.Head.Mode:
		return modeChanged(s.Head.Box.String())
	}
	return s.contains(anchor.Key)
}

// The contains method returns nil if the known key is the current key or an earlier key of the keyring. Otherwise the
// author of the keyring did not have the known key, and the method returns an error.
func (s *state) contains(known KeyID) error {
	if _, ok := s.Find(known); ok {
		return nil
	}
	return fault(client.ErrKeyringNotContinued, "the keyring does not contain the key that this client knows; "+
		"nothing was sent; ask a box admin whether the keyring was reset; "+
		"only after a reset, run lockbox box forget", nil)
}

func modeChanged(box string) error {
	return fault(client.ErrKeyringModeChanged, "the encryption mode of the box "+box+" changed, "+
		"but the mode of a box can never change; nothing was sent; check whether this is the right server", nil)
}
