//go:build e2e

package keys

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestHostileLockedIdentities runs the attacks on locked identities. Each of them derives several keys with Argon2id.
func TestHostileLockedIdentities(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(*testing.T, *scene){
		"LockedOtherVersion": lockedOtherVersion,
		"TwoKeyLocked":       twoKeyLocked,
		"WrongFingerprint":   wrongFingerprint,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(t, newScene(t))
		})
	}
}

// TestLockedIdentityForOthers checks that Unlock returns the same error for a wrong passphrase, a wrong owner and
// changed bytes.
func TestLockedIdentityForOthers(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Identities[0]
	owner := Owner{ID(v.Installation), ID(v.User), Fingerprint(v.Fingerprint)}
	passphrase := client.NewSecret(v.Passphrase)
	other := owner
	other.User[0] ^= 1
	elsewhere := owner
	elsewhere.Installation[0] ^= 1
	replaced := owner
	replaced.Fingerprint[0] ^= 1
	var messages []string
	for _, attempt := range []struct {
		locked     []byte
		passphrase string
		owner      Owner
	}{
		{v.Locked, "abandon-ability-able-about-above-abstract", owner},
		{v.Locked, v.Passphrase, other},
		{v.Locked, v.Passphrase, elsewhere},
		{v.Locked, v.Passphrase, replaced},
		{flipped(v.Locked, 0), v.Passphrase, owner},
		{flipped(v.Locked, 5), v.Passphrase, owner},
		{flipped(v.Locked, 20), v.Passphrase, owner},
		{flipped(v.Locked, 60), v.Passphrase, owner},
		{flipped(v.Locked, len(v.Locked)-1), v.Passphrase, owner},
		{v.Locked[:len(v.Locked)-1], v.Passphrase, owner},
		{nil, v.Passphrase, owner},
	} {
		_, err := Unlock(attempt.locked, client.NewSecret(attempt.passphrase), attempt.owner)
		require.ErrorIs(t, err, client.ErrUnlockFailed)
		messages = append(messages, err.Error())
	}
	require.Len(t, slices.Compact(messages), 1)
	_, err := Unlock(v.Locked, passphrase, owner)
	require.NoError(t, err)
}

// lock stores a person's locked identity on the server. The function change can first modify this locked identity.
func (s *scene) lock(p *person, passphrase string, change func(*client.LockedIdentity)) {
	s.change(func() {
		locked := &client.LockedIdentity{
			Locked:      p.id.Lock(client.NewSecret(passphrase), s.installation, s.users[p.name].id),
			Fingerprint: p.id.Fingerprint().String(),
		}
		change(locked)
		s.users[p.name].locked = locked
	})
}

// unlockFails verifies that a locked identity does not open, and that the attempt sends no request.
func (s *scene) unlockFails(t *testing.T, p *person, passphrase string) {
	t.Helper()
	fetched, err := FetchLocked(t.Context(), p.client, p.holder.Memory())
	require.NoError(t, err)
	before := len(s.seen)
	_, err = fetched.Unlock(client.NewSecret(passphrase))
	require.ErrorIs(t, err, client.ErrUnlockFailed)
	require.Len(t, s.seen, before, "no request")
}

func lockedOtherVersion(t *testing.T, s *scene) {
	s.lock(s.bob, "words", func(*client.LockedIdentity) {})
	fetched, err := FetchLocked(t.Context(), s.bob.client, s.bob.holder.Memory())
	require.NoError(t, err)
	id, err := fetched.Unlock(client.NewSecret("words"))
	require.NoError(t, err)
	require.Equal(t, s.bob.id.Reveal(), id.Reveal())
	for _, version := range []byte{0, 2, 0xff} {
		s.lock(s.bob, "words", func(l *client.LockedIdentity) { l.Locked[0] = version })
		s.unlockFails(t, s.bob, "words")
	}
}

// wrongFingerprint: the server presents a locked identity with a wrong fingerprint, or the locked identity of another
// user.
func wrongFingerprint(t *testing.T, s *scene) {
	s.lock(s.bob, "words", func(l *client.LockedIdentity) { l.Fingerprint = s.mallory.id.Fingerprint().String() })
	s.unlockFails(t, s.bob, "words")
	s.lock(s.mallory, "words", func(*client.LockedIdentity) {})
	s.change(func() { s.users["bob"].locked = s.users["mallory"].locked })
	s.unlockFails(t, s.bob, "words")
}

// TestRegain checks the two ways in which a new identity gets a key: with the user's former identity, and with the
// identity of a recovery user.
func TestRegain(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	recovery := s.join(t, "recovery")
	_, err := s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(recovery))
	require.NoError(t, err)
	for _, with := range []*Identity{s.anna.id, recovery.id} {
		renewed := &person{name: "anna", id: GenerateIdentity()}
		renewed.connect(t, s.server, s.anna.holder.Memory().dir)
		require.NoError(t, Publish(t.Context(), renewed.client, renewed.holder.Memory(), renewed.id,
			client.NewSecret("words")))
		require.ErrorIs(t, s.read(t, renewed), client.ErrNotRecipient)
		_, err = renewed.holder.Regain(t.Context(), renewed.client, "prod", s.mallory.id)
		require.ErrorIs(t, err, client.ErrNotRecipient)
		_, err = renewed.holder.Regain(t.Context(), renewed.client, "prod", with)
		require.NoError(t, err)
		require.NoError(t, s.read(t, renewed))
		now := s.opened(t, renewed)
		require.Len(t, now.Recipients, 3)
		_, ok := now.Recipient(s.anna.id.Fingerprint())
		require.False(t, ok, "the former identity has lost the key")
		_, err = renewed.holder.Regain(t.Context(), renewed.client, "prod", renewed.id)
		require.NoError(t, err, "nothing to do")
		require.NoError(t, s.read(t, s.bob))

		fetched, err := FetchLocked(t.Context(), renewed.client, renewed.holder.Memory())
		require.NoError(t, err)
		unlocked, err := fetched.Unlock(client.NewSecret("words"))
		require.NoError(t, err)
		require.Equal(t, renewed.id.Reveal(), unlocked.Reveal())
		require.NoError(t, Relock(t.Context(), renewed.client, renewed.holder.Memory(), unlocked,
			client.NewSecret("other")))
	}
}
