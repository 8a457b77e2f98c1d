package keys

import (
	"context"
	"errors"
	"strings"

	"github.com/lockbox-go/lockbox/client"
)

// Publish stores the public key of an identity for the signed-in user. With a passphrase, it also stores the identity,
// locked under the passphrase. With the zero Secret, it stores no locked identity. If the user already has an identity,
// Publish replaces it, and the old identity loses access to all keyrings. Publish requires a recent sign-in
// (client.ErrRecentSignInRequired).
func Publish(ctx context.Context, c *client.Client, memory *Memory, id *Identity, passphrase client.Secret) error {
	me, err := signedIn(ctx, c, memory)
	if err != nil {
		return err
	}
	identity := client.NewIdentity{Public: id.Public().String()}
	if !passphrase.IsZero() {
		identity.Locked = id.Lock(passphrase, me.installation, me.user)
	}
	if _, err := c.WriteIdentity(ctx, me.name, identity); err != nil {
		return err
	}
	return memory.PinUser(me.installation, me.name, me.user, id.Fingerprint())
}

// Relock locks the identity of the signed-in user under a new passphrase, and replaces the locked identity on the
// server.
func Relock(ctx context.Context, c *client.Client, memory *Memory, id *Identity, passphrase client.Secret) error {
	me, err := signedIn(ctx, c, memory)
	if err != nil {
		return err
	}
	return c.WriteLockedIdentity(ctx, me.name, id.Lock(passphrase, me.installation, me.user))
}

// Fetched is a locked identity, as read from the server. Its method Unlock opens the identity.
type Fetched struct {
	locked []byte
	owner  Owner
	name   string
	memory *Memory
}

// FetchLocked reads the locked identity of the signed-in user from the server. It requires a recent sign-in.
// Fetched.Unlock sends no request, so the caller can try several passphrases.
func FetchLocked(ctx context.Context, c *client.Client, memory *Memory) (*Fetched, error) {
	me, err := signedIn(ctx, c, memory)
	if err != nil {
		return nil, err
	}
	got, err := c.ReadLockedIdentity(ctx, me.name)
	if err != nil {
		return nil, err
	}
	fingerprint, err := ParseFingerprint(got.Fingerprint)
	if err != nil {
		return nil, err
	}
	pinned, ok, err := memory.User(me.installation, me.name)
	if err != nil {
		return nil, err
	}
	if ok && pinned.ID != me.user {
		return nil, userReplaced(me.name)
	}
	return &Fetched{got.Locked, Owner{me.installation, me.user, fingerprint}, me.name, memory}, nil
}

// Unlock opens the identity with a passphrase. It returns client.ErrUnlockFailed for a wrong passphrase.
func (f *Fetched) Unlock(passphrase client.Secret) (*Identity, error) {
	id, err := Unlock(f.locked, passphrase, f.owner)
	if err != nil {
		return nil, err
	}
	return id, f.memory.PinUser(f.owner.Installation, f.name, f.owner.User, f.owner.Fingerprint)
}

// FindOwn returns the current public identity of the signed-in user, or nil if the user has none. It never creates an
// identity. If it did, a hostile server could make the client replace an identity by denying that the identity exists.
func FindOwn(ctx context.Context, c *client.Client, memory *Memory) (*client.PublicIdentity, error) {
	me, err := signedIn(ctx, c, memory)
	if err != nil {
		return nil, err
	}
	found, err := c.DescribeIdentity(ctx, me.name)
	if errors.Is(err, client.ErrNotFound) {
		return nil, nil
	}
	return found, err
}

// ParseBundle parses the value of LOCKBOX_IDENTITY. The value is the identity of a program ("lbid1_…"), followed by any
// number of anchors. A "~" precedes each anchor.
func ParseBundle(text string) (*Identity, []Anchor, error) {
	parts := strings.Split(text, "~")
	id, err := ParseIdentity(parts[0])
	if err != nil {
		return nil, nil, err
	}
	var anchors []Anchor
	for _, part := range parts[1:] {
		anchor, err := ParseAnchor(part)
		if err != nil {
			return nil, nil, err
		}
		anchors = append(anchors, anchor)
	}
	return id, anchors, nil
}
