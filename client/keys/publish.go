package keys

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/client"
)

// maxTries is the maximum number of times that update tries a change. It tries again if another member changed the
// keyring in the meantime.
const maxTries = 3

// draft is a keyring that is ready to be stored.
type draft struct {
	*Opened

	remove []string
	reset  bool
}

// update replaces the keyring of a box. The function plan makes the new keyring from the current one. If another member
// changes the keyring first, update calls plan again with the newer keyring. If plan returns nil, update stores
// nothing. update returns the keyring that the box then has.
func (h *Holder) update(ctx context.Context, c *client.Client, box string, plan func(*state) (*draft, error)) (*state,
	error) {
	for try := 1; ; try++ {
		s, err := h.all(ctx, c, box)
		if err != nil {
			return nil, err
		}
		if s == nil {
			return nil, noKeyring(box)
		}
		next, err := plan(s)
		if err != nil || next == nil {
			return s, err
		}
		made, err := h.publish(ctx, c, box, next, s.stored.ETag)
		if !raced(err) || try == maxTries {
			return made, err
		}
	}
}

// raced reports whether the error means that another change of the keyring came first. Either the server detected the
// other change, or another process has already stored a newer keyring in the memory.
func raced(err error) bool {
	return errors.Is(err, client.ErrPrecondition) || errors.Is(err, client.ErrKeyringSequence) ||
		errors.Is(err, client.ErrKeyringForked) || errors.Is(err, client.ErrKeyringRolledBack)
}

func noKeyring(box string) error {
	return fault(client.ErrNoKeyring, "the box "+box+" has no keyring: to create one, run lockbox box adopt "+box,
		nil)
}

// publish stores a keyring and remembers it. ifMatch is the entity tag of the replaced keyring, or "" if there was
// none.
func (h *Holder) publish(ctx context.Context, c *client.Client, box string, d *draft, ifMatch string) (*state, error) {
	own, ok := d.Recipient(h.config.Identity.Fingerprint())
	if !ok {
		return nil, planError("the author must be a recipient")
	}
	s := &state{d.Opened, storedOf(&d.Keyring, own.Wrapped)}
	// Do not store a keyring that this client itself would refuse.
	if !d.reset {
		k, err := h.config.Memory.load()
		if err != nil {
			return nil, err
		}
		if err := h.advance(k, c.URL(), box, s); err != nil {
			return nil, err
		}
	}
	written, err := c.WriteKeyring(ctx, box, client.KeyringChange{
		Head:       s.stored.Head,
		Chain:      s.stored.Chain,
		Signature:  s.stored.Signature,
		Recipients: s.stored.Recipients,
		Remove:     d.remove,
		Reset:      d.reset,
		IfMatch:    ifMatch,
	})
	if errors.Is(err, client.ErrOutcomeUnknown) {
		return h.outcome(ctx, c, box, s, err)
	}
	if err != nil {
		return nil, err
	}
	s.stored.ETag = written.ETag
	if d.reset {
		if err := h.config.Memory.Forget(s.Head.Installation, box); err != nil {
			return nil, err
		}
	}
	made, err := h.accept(ctx, c, box, s)
	if errors.Is(err, client.ErrKeyringRolledBack) {
		return s, nil // the keyring was stored, but another process has already remembered a newer one
	}
	return made, err
}

// outcome finds out, after a lost response, whether the server stored the keyring s. If the server did not store it,
// outcome returns the given error.
func (h *Holder) outcome(ctx context.Context, c *client.Client, box string, s *state, err error) (*state, error) {
	stored, readErr := c.ReadKeyring(ctx, box, &client.KeyringOptions{Recipients: true})
	if readErr != nil || string(stored.Head) != string(s.stored.Head) {
		return nil, err
	}
	return h.verify(ctx, c, box, stored)
}

// storedOf returns a keyring as the server sends it to a recipient.
func storedOf(k *Keyring, wrapped []byte) *client.StoredKeyring {
	stored := &client.StoredKeyring{
		Head:      k.Head.Bytes(),
		Chain:     k.Chain,
		Signature: k.Signature,
		Author:    client.PublicIdentity{Public: k.Author.String(), Fingerprint: k.Head.Author.String()},
		Wrapped:   wrapped,
	}
	for _, each := range k.Recipients {
		stored.Recipients = append(stored.Recipients, client.KeyringRecipient{
			KeyringUser: client.KeyringUser{UserID: each.User.String(), Fingerprint: each.Fingerprint.String()},
			Wrapped:     each.Wrapped,
		})
	}
	return stored
}

// parseStored parses the parts of a keyring.
func parseStored(stored *client.StoredKeyring) (*Keyring, error) {
	head, ok := ParseHead(stored.Head)
	if !ok {
		return nil, tampered("its head is malformed")
	}
	author, err := ParsePublicKey(stored.Author.Public)
	if err != nil {
		return nil, tampered("the public key of its author is malformed")
	}
	k := &Keyring{
		Head:      head,
		Chain:     stored.Chain,
		Signature: stored.Signature,
		Author:    author,
	}
	if len(stored.Recipients) > maxRecipients {
		return nil, tampered("it has too many recipients")
	}
	for _, each := range stored.Recipients {
		user, err := ParseID(each.UserID)
		if err != nil {
			return nil, err
		}
		fingerprint, err := ParseFingerprint(each.Fingerprint)
		if err != nil {
			return nil, tampered("the fingerprint of a recipient is malformed")
		}
		k.Recipients = append(k.Recipients, Recipient{user, fingerprint, each.Wrapped})
	}
	return k, nil
}
