package keys

import (
	"context"
	"slices"
	"sync"

	"github.com/lockbox-go/lockbox/client"
)

// maxFetches is the maximum number of public keys that are fetched at the same time.
const maxFetches = 8

// caller is the signed-in user.
type caller struct {
	name               string
	installation, user ID
}

// whoAmI returns the signed-in user. It returns an error if the memory knows another installation at the URL of the
// server.
func (h *Holder) whoAmI(ctx context.Context, c *client.Client) (caller, error) {
	return signedIn(ctx, c, h.config.Memory)
}

func signedIn(ctx context.Context, c *client.Client, memory *Memory) (caller, error) {
	who, err := c.WhoAmI(ctx)
	if err != nil {
		return caller{}, err
	}
	in, err := ParseID(who.Installation)
	if err != nil {
		return caller{}, err
	}
	user, err := ParseID(who.ID)
	if err != nil {
		return caller{}, err
	}
	return caller{who.Username, in, user}, memory.SignIn(c.URL(), in)
}

// check returns the public keys of the users in grants. It returns an error if any of these users must not get the box
// key. A user may get the key if the user's fingerprint is remembered, was typed, is confirmed now, or is in the
// accepted keyring of the box. The argument recipients contains the recipients of this keyring.
func (h *Holder) check(ctx context.Context, c *client.Client, in ID, recipients []Recipient, grants []Grant) ([]To,
	error) {
	var checked []To
	for _, grant := range grants {
		found, err := c.DescribeIdentity(ctx, grant.User)
		if err != nil {
			return nil, err
		}
		to, err := publicOf(found)
		if err != nil {
			return nil, err
		}
		if err := h.checkUser(ctx, in, recipients, grant, to); err != nil {
			return nil, err
		}
		checked = append(checked, to)
	}
	return checked, nil
}

// publicOf parses an identity that the server sent, and verifies that its fingerprint belongs to its public key.
func publicOf(found *client.PublicIdentity) (To, error) {
	public, err := ParsePublicKey(found.Public)
	if err != nil {
		return To{}, err
	}
	if found.Fingerprint != public.Fingerprint().String() {
		return To{}, fault(client.ErrIdentityInvalid,
			"the server sent a public key and a fingerprint that do not match; no key was wrapped", nil)
	}
	user, err := ParseID(found.UserID)
	return To{user, public}, err
}

func (h *Holder) checkUser(ctx context.Context, in ID, recipients []Recipient, grant Grant, to To) error {
	fingerprint := to.Public.Fingerprint()
	pinned, known, err := h.config.Memory.User(in, grant.User)
	if err != nil {
		return err
	}
	if known && pinned.ID != to.User {
		return userReplaced(grant.User)
	}
	sameUser := func(r Recipient) bool { return r.User == to.User }
	inKeyring := func(r Recipient) bool { return r.User == to.User && r.Fingerprint == fingerprint }
	switch {
	case grant.Fingerprint != "":
		if !fingerprint.Matches(grant.Fingerprint) {
			return identityChanged(grant.User, "that was typed")
		}
	case slices.Contains(pinned.Fingerprints, fingerprint), slices.ContainsFunc(recipients, inKeyring):
		return nil
	case known:
		return identityChanged(grant.User, "that you confirmed before")
	case slices.ContainsFunc(recipients, sameUser):
		return identityChanged(grant.User, "in the keyring")
	case h.config.ConfirmUser == nil:
		return fault(client.ErrIdentityUnconfirmed, "the fingerprint of "+grant.User+" was never compared; "+
			"no key was wrapped; run the command at a terminal, where you can confirm the fingerprint, "+
			"or set --fingerprint to the fingerprint that "+grant.User+" gave you outside of Lockbox; "+
			"--yes does not confirm a fingerprint", nil)
	default:
		if err := h.config.ConfirmUser(ctx, UserToConfirm{grant.User, fingerprint}); err != nil {
			return err
		}
	}
	return h.config.Memory.PinUser(in, grant.User, to.User, fingerprint)
}

// identityChanged returns the error for an identity that differs from a known fingerprint. The argument known states
// where the client knows the fingerprint from.
func identityChanged(name, known string) error {
	return fault(client.ErrIdentityChanged, "the identity of "+name+" differs from the fingerprint "+known+
		"; no key was wrapped; ask "+name+" whether the identity is new, and which fingerprint it has; "+
		"if the identity is new, grant the key again with this fingerprint", nil)
}

// publicKeys returns the public keys of recipients. Their fingerprints come from an accepted keyring. publicKeys
// verifies that each public key has the fingerprint of its recipient.
func publicKeys(ctx context.Context, c *client.Client, recipients []Recipient) ([]To, error) {
	found := make([]To, len(recipients))
	err := each(ctx, len(recipients), maxFetches, func(ctx context.Context, i int) error {
		identity, err := c.FindIdentity(ctx, recipients[i].Fingerprint.String())
		if err != nil {
			return err
		}
		public, err := ParsePublicKey(identity.Public)
		if err != nil {
			return err
		}
		if public.Fingerprint() != recipients[i].Fingerprint {
			return fault(client.ErrIdentityInvalid,
				"the server sent a public key that does not match the fingerprint in the keyring; "+
					"no key was wrapped", nil)
		}
		found[i] = To{recipients[i].User, public}
		return nil
	})
	return found, err
}

// The function named each calls the function do once for each number from 0 to n-1. At most limit calls run at the same
// time. After an error, it starts no further call and returns the first error.
func each(ctx context.Context, n, limit int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var workers sync.WaitGroup
	for range min(limit, n) {
		workers.Go(func() {
			for i := range next {
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	workers.Wait()
	return context.Cause(ctx)
}
