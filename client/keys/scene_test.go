package keys

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// scene is a box "prod" with a keyring. Anna made the keyring, granted the key to Bob, and changed the key once. Both
// have read the keyring. Mallory is a user of the server without a key.
type scene struct {
	*server

	anna, bob, mallory *person
	// old and now are the first and the second keyring, with their keys.
	old, now *Opened
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{server: startServer(t)}
	s.anna, s.bob, s.mallory = s.join(t, "anna"), s.join(t, "bob"), s.join(t, "mallory")
	_, err := s.anna.holder.CreateBox(t.Context(), s.anna.client, "prod", grantTo(s.bob))
	require.NoError(t, err)
	s.old = s.opened(t, s.anna)
	s.write(t, s.anna, 1)
	_, err = s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	s.now = s.opened(t, s.anna)
	s.write(t, s.anna, 2)
	require.NoError(t, s.read(t, s.bob))
	return s
}

// opened fetches the current keyring of the box for a person, and opens it.
func (s *scene) opened(t *testing.T, p *person) *Opened {
	t.Helper()
	state, err := p.holder.all(t.Context(), p.client, "prod")
	require.NoError(t, err)
	require.NotNil(t, state)
	return state.Opened
}

func (s *scene) write(t *testing.T, p *person, value any) {
	t.Helper()
	_, err := p.client.WriteEntry(t.Context(), "prod", "app", value, nil)
	require.NoError(t, err)
}

func (s *scene) read(t *testing.T, p *person) error {
	t.Helper()
	_, err := p.client.ReadEntry(t.Context(), "prod", "app", nil)
	return err
}

// refused verifies that a read and a write by a person fail with the given kind of error, and that no key reached the
// server.
func (s *scene) refused(t *testing.T, p *person, kind error) {
	t.Helper()
	before := s.keysSent()
	err := s.read(t, p)
	require.ErrorIs(t, err, kind)
	var failure *client.Error
	require.ErrorAs(t, err, &failure)
	require.Equal(t, kind.Error(), failure.Code)
	_, err = p.client.WriteEntry(t.Context(), "prod", "app", 3, nil)
	require.ErrorIs(t, err, kind)
	require.Equal(t, before, s.keysSent(), "no key was sent")
}

// next returns the plan of a keyring that follows the current one. The new keyring has the given key and the recipients
// Anna and Bob.
func (s *scene) next(key BoxKey, earlier ...BoxKey) Plan {
	return Plan{
		Place:    s.now.Head.Place,
		Sequence: s.now.Head.Sequence + 1,
		Key:      key,
		Earlier:  earlier,
		Author:   s.anna.id,
		To:       []To{{s.users["anna"].id, s.anna.id.Public()}, {s.users["bob"].id, s.bob.id.Public()}},
	}
}

// install makes the server present a keyring that was made from a plan.
func (s *scene) install(t *testing.T, plan Plan) *Opened {
	t.Helper()
	made, err := Build(plan)
	require.NoError(t, err)
	s.present("prod", &made.Keyring)
	return made
}

// The method named present makes the server present a keyring.
func (s *scene) present(name string, k *Keyring) {
	s.change(func() {
		stored := storedOf(k, nil)
		stored.ETag = `"` + encode64(k.Signature[:16]) + `"`
		if author := s.identities[k.Head.Author.String()]; author != nil {
			stored.Author = *author
		}
		s.boxes[name].keyring = stored
	})
}

// replaceWrapped makes the server present the given wrapped key to Bob instead of the right one.
func (s *scene) replaceWrapped(wrapped []byte) {
	s.change(func() {
		stored := *s.boxes["prod"].keyring
		stored.ETag = `"other"`
		stored.Recipients = append([]client.KeyringRecipient{}, stored.Recipients...)
		for i, each := range stored.Recipients {
			if each.Fingerprint == s.bob.id.Fingerprint().String() {
				stored.Recipients[i].Wrapped = wrapped
			}
		}
		s.boxes["prod"].keyring = &stored
	})
}

// wrappedFor returns the copy of the box key that a keyring contains for a person. The copy is encrypted.
func wrappedFor(t *testing.T, o *Opened, p *person) []byte {
	t.Helper()
	r, ok := o.Recipient(p.id.Fingerprint())
	require.True(t, ok)
	return r.Wrapped
}
