package keys

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestHostileServer runs the attacks of a server that lies, of members without a key and of removed members. The client
// must return an error of the expected kind before it sends or wraps a key, except for a few attacks that Lockbox
// accepts on purpose.
func TestHostileServer(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(*testing.T, *scene){
		"ForgedNextKey":                  forgedNextKey,
		"ForgedNextKeyByPinnedStranger":  forgedNextKeyByPinnedStranger,
		"RemovedMemberFork":              removedMemberFork,
		"ChainDroppedKey":                chainDroppedKey,
		"AnchorMismatch":                 anchorMismatch,
		"KeylessBoxadminNewKey":          keylessBoxadminNewKey,
		"KeylessBoxadminEditsRecipients": keylessBoxadminEditsRecipients,
		"WrapFromOtherBox":               wrapFromOtherBox,
		"WrapFromOtherKey":               wrapFromOtherKey,
		"WrapForOtherRecipient":          wrapForOtherRecipient,
		"OlderKeyring":                   olderKeyring,
		"SameSequenceOtherBytes":         sameSequenceOtherBytes,
		"ModeFlip":                       modeFlip,
		"KeyringGone":                    keyringGone,
		"InstallationSwap":               installationSwap,
		"StagingCopy":                    stagingCopy,
		"BoxRecreated":                   boxRecreated,
		"BoxUnderAnotherName":            boxUnderAnotherName,
		"FirstContactUnattended":         firstContactUnattended,
		"MonthOffline":                   monthOffline,
		"AuthorLeft":                     authorLeft,
		"AuthorReset":                    authorReset,
		"KeyHintForeign":                 keyHintForeign,
		"StaleWriter":                    staleWriter,
		"OlderVersionTruthful":           olderVersionTruthful,
		"HiddenEntry":                    hiddenEntry,
		"MemoryReadOnly":                 memoryReadOnly,
		"StaleNotModified":               staleNotModified,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(t, newScene(t))
		})
	}
}

// forgedNextKey: the server makes a new key and wraps it to all recipients.
func forgedNextKey(t *testing.T, s *scene) {
	plan := s.next(GenerateBoxKey(), s.now.Earlier...)
	plan.Author = GenerateIdentity()
	made, err := Build(plan)
	require.NoError(t, err)
	s.change(func() {
		s.identities[plan.Author.Fingerprint().String()] = &client.PublicIdentity{
			User:   "anna",
			Public: plan.Author.Public().String(),
		}
	})
	s.present("prod", &made.Keyring)
	s.refused(t, s.bob, client.ErrKeyringNotContinued)
}

// forgedNextKeyByPinnedStranger: the author of a new keyring has no key of the box, but Bob has confirmed the author's
// fingerprint.
func forgedNextKeyByPinnedStranger(t *testing.T, s *scene) {
	require.NoError(t, s.bob.holder.Memory().PinUser(s.installation, "mallory", s.users["mallory"].id,
		s.mallory.id.Fingerprint()))
	plan := s.next(GenerateBoxKey())
	plan.Author = s.mallory.id
	s.install(t, plan)
	s.refused(t, s.bob, client.ErrKeyringNotContinued)
}

// removedMemberFork: a removed member, who still has the first key, makes a second keyring in place of the genuine one.
// A client that has the anchor of the genuine keyring detects the fork.
func removedMemberFork(t *testing.T, s *scene) {
	fork := s.next(GenerateBoxKey(), s.old.Key)
	fork.Sequence, fork.Author = s.now.Head.Sequence, s.mallory.id
	s.install(t, fork)
	fresh := s.bob.fresh(t, s.server)
	require.NoError(t, fresh.holder.Memory().Trust(s.installation, "", s.now.Anchor()))
	s.refused(t, fresh, client.ErrKeyringNotContinued)
	byConfig := s.bob.fresh(t, s.server, func(c *Config) { c.Anchors = []Anchor{s.now.Anchor()} })
	s.refused(t, byConfig, client.ErrKeyringNotContinued)
}

// chainDroppedKey: the chain of a later keyring does not contain the key that Bob knows.
func chainDroppedKey(t *testing.T, s *scene) {
	s.install(t, s.next(GenerateBoxKey(), s.old.Key))
	s.refused(t, s.bob, client.ErrKeyringNotContinued)
}

func anchorMismatch(t *testing.T, s *scene) {
	other := s.now.Anchor()
	other.Key = GenerateBoxKey().ID()
	for _, name := range []string{"", "prod"} {
		fresh := s.bob.fresh(t, s.server)
		require.NoError(t, fresh.holder.Memory().Trust(s.installation, name, other))
		s.refused(t, fresh, client.ErrKeyringNotContinued)
	}
	otherBox := s.now.Anchor()
	otherBox.Box = randomID()
	fresh := s.bob.fresh(t, s.server)
	require.NoError(t, fresh.holder.Memory().Trust(s.installation, "prod", otherBox))
	s.refused(t, fresh, client.ErrBoxReplaced)
	require.ErrorIs(t, s.bob.holder.Memory().Trust(s.installation, "prod", other), client.ErrKeyringNotContinued)
	require.NoError(t, s.read(t, s.bob), "a refused anchor changes nothing")
}

// keylessBoxadminNewKey: a boxadmin without the key cannot store a new keyring. The client refuses to make such a
// keyring, and the server refuses to store it.
func keylessBoxadminNewKey(t *testing.T, s *scene) {
	_, err := s.mallory.holder.Rekey(t.Context(), s.mallory.client, "prod")
	require.ErrorIs(t, err, client.ErrNotRecipient)
	require.Len(t, s.sent("PUT", "/keyring"), 2, "those of Anna")
	plan := s.next(GenerateBoxKey())
	plan.Author = s.mallory.id
	made, err := Build(plan)
	require.NoError(t, err)
	stored := storedOf(&made.Keyring, nil)
	_, err = s.mallory.client.WriteKeyring(t.Context(), "prod", client.KeyringChange{
		Head:       stored.Head,
		Chain:      stored.Chain,
		Signature:  stored.Signature,
		Recipients: stored.Recipients,
		IfMatch:    s.boxes["prod"].keyring.ETag,
	})
	require.ErrorIs(t, err, client.ErrNotRecipient)
	require.ErrorIs(t, err, client.ErrForbidden)
}

// keylessBoxadminEditsRecipients: a boxadmin without the key adds, removes or replaces a recipient.
func keylessBoxadminEditsRecipients(t *testing.T, s *scene) {
	stored := *s.boxes["prod"].keyring
	for _, edit := range []func(*client.StoredKeyring){
		func(k *client.StoredKeyring) {
			k.Recipients = append(k.Recipients, client.KeyringRecipient{
				KeyringUser: client.KeyringUser{
					UserID:      s.users["mallory"].id.String(),
					Fingerprint: s.mallory.id.Fingerprint().String(),
				},
				Wrapped: make([]byte, wrappedLen),
			})
		},
		func(k *client.StoredKeyring) { k.Recipients = k.Recipients[:1] },
		func(k *client.StoredKeyring) { k.Recipients = nil },
		func(k *client.StoredKeyring) { k.Recipients[1].UserID = s.users["mallory"].id.String() },
	} {
		s.change(func() {
			edited := stored
			edited.Recipients = slices.Clone(stored.Recipients)
			slices.SortFunc(edited.Recipients, func(a, b client.KeyringRecipient) int {
				if a.Fingerprint == s.anna.id.Fingerprint().String() {
					return -1
				}
				return 1
			})
			edit(&edited)
			s.boxes["prod"].keyring = &edited
		})
		s.lie = s.alwaysWrapped(t, s.anna)
		_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
		require.ErrorIs(t, err, client.ErrKeyringTampered)
		_, err = s.anna.holder.Members(t.Context(), s.anna.client, "prod")
		require.ErrorIs(t, err, client.ErrKeyringTampered)
		_, err = s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(s.mallory))
		require.ErrorIs(t, err, client.ErrKeyringTampered)
	}
	require.Len(t, s.sent("PUT", "/keyring"), 2, "those of Anna before")
}

func wrapFromOtherBox(t *testing.T, s *scene) {
	_, err := s.anna.holder.CreateBox(t.Context(), s.anna.client, "stage", grantTo(s.bob))
	require.NoError(t, err)
	other, err := s.anna.holder.all(t.Context(), s.anna.client, "stage")
	require.NoError(t, err)
	s.replaceWrapped(wrappedFor(t, other.Opened, s.bob))
	s.refused(t, s.bob, client.ErrKeyringTampered)
}

func wrapFromOtherKey(t *testing.T, s *scene) {
	s.replaceWrapped(wrappedFor(t, s.old, s.bob))
	s.refused(t, s.bob, client.ErrKeyringTampered)
}

func wrapForOtherRecipient(t *testing.T, s *scene) {
	s.replaceWrapped(wrappedFor(t, s.now, s.anna))
	s.refused(t, s.bob, client.ErrKeyringTampered)
}

func olderKeyring(t *testing.T, s *scene) {
	s.present("prod", &s.old.Keyring)
	s.refused(t, s.bob, client.ErrKeyringRolledBack)
}

// sameSequenceOtherBytes: a user who has the key makes a second keyring with the number of the current keyring.
func sameSequenceOtherBytes(t *testing.T, s *scene) {
	plan := s.next(s.now.Key, s.now.Earlier...)
	plan.Sequence = s.now.Head.Sequence
	s.install(t, plan)
	s.refused(t, s.bob, client.ErrKeyringForked)
}

func modeFlip(t *testing.T, s *scene) {
	plan := s.next(GenerateBoxKey(), append(s.now.Earlier, s.now.Key)...)
	plan.Mode = ModeClient
	s.install(t, plan)
	s.refused(t, s.bob, client.ErrKeyringModeChanged)
}

// keyringGone: the server denies that the box has a keyring. The client must not send the configured encryption key
// instead, because that key is for other boxes.
func keyringGone(t *testing.T, s *scene) {
	s.change(func() { s.boxes["prod"].keyring = nil })
	s.refused(t, s.bob, client.ErrKeyringMissing)
	s.bob.client = s.bob.client.WithEncryptionKey(client.GenerateEncryptionKey())
	s.refused(t, s.bob, client.ErrKeyringMissing)
}

// installationSwap: the server at the URL now belongs to another installation, which has a box of the same name.
func installationSwap(t *testing.T, s *scene) {
	plan := s.next(GenerateBoxKey())
	plan.Installation = randomID()
	s.install(t, plan)
	s.refused(t, s.bob, client.ErrInstallationChanged)
	s.change(func() { s.installation = plan.Installation })
	_, err := FindOwn(t.Context(), s.bob.client, s.bob.holder.Memory())
	require.ErrorIs(t, err, client.ErrInstallationChanged)
}

// stagingCopy: a server with a restored copy of the database runs under another URL.
func stagingCopy(t *testing.T, s *scene) {
	copied := startServer(t)
	copied.installation, copied.users, copied.identities, copied.boxes = s.installation, s.users, s.identities, s.boxes
	elsewhere := *s.bob
	elsewhere.connect(t, copied, s.bob.holder.Memory().dir)
	before := copied.keysSent()
	require.ErrorIs(t, s.read(t, &elsewhere), client.ErrInstallationElsewhere)
	require.Equal(t, before, copied.keysSent())
	require.NoError(t, s.bob.holder.Memory().Move(copied.URL, s.installation))
	require.NoError(t, s.read(t, &elsewhere), "after the user confirmed the move")
}

func boxRecreated(t *testing.T, s *scene) {
	plan := s.next(GenerateBoxKey())
	plan.Box, plan.Sequence = randomID(), 1
	s.install(t, plan)
	s.refused(t, s.bob, client.ErrBoxReplaced)
	require.NoError(t, s.bob.holder.Forget(t.Context(), s.bob.client, "prod"))
	key, err := s.bob.holder.CurrentKey(t.Context(), s.bob.client, "prod")
	require.NoError(t, err, "after the user forgot the box")
	require.Equal(t, plan.Key.EncryptionKey().Reveal(), key.Reveal())
}

// boxUnderAnotherName: the server presents a known box under a name that the client does not know.
func boxUnderAnotherName(t *testing.T, s *scene) {
	s.change(func() { s.boxes["stage"] = s.boxes["prod"] })
	before := s.keysSent()
	_, err := s.bob.client.WriteEntry(t.Context(), "stage", "app", 1, nil)
	require.ErrorIs(t, err, client.ErrBoxReplaced)
	require.Equal(t, before, s.keysSent())
}

// firstContactUnattended: the client accepts a new box with client encryption only if the user confirms the author, or
// if the client has an anchor of the box. Even then, the client does not send the key of the box.
func firstContactUnattended(t *testing.T, s *scene) {
	plan := s.next(GenerateBoxKey())
	plan.Box, plan.Mode, plan.Sequence = randomID(), ModeClient, 1
	made := s.install(t, plan)
	s.refused(t, s.bob.fresh(t, s.server), client.ErrKeyringAuthorUnknown)
	var asked FirstContact
	confirmed := s.bob.fresh(t, s.server, func(c *Config) {
		c.ConfirmAuthor = func(_ context.Context, contact FirstContact) error {
			asked = contact
			return nil
		}
	})
	s.refused(t, confirmed, client.ErrClientEncryption)
	require.Equal(t, FirstContact{"prod", "anna", s.anna.id.Fingerprint(), made.Head.Key}, asked)
	anchored := s.bob.fresh(t, s.server, func(c *Config) { c.Anchors = []Anchor{made.Anchor()} })
	s.refused(t, anchored, client.ErrClientEncryption)
	declined := s.bob.fresh(t, s.server, func(c *Config) {
		c.ConfirmAuthor = func(context.Context, FirstContact) error { return context.Canceled }
	})
	require.ErrorIs(t, s.read(t, declined), context.Canceled)
	require.ErrorIs(t, s.read(t, declined), context.Canceled, "a refusal is not remembered as a confirmation")
}

// monthOffline: a client was offline while the key changed many times. It accepts the newest keyring, and reads both
// old and new versions.
func monthOffline(t *testing.T, s *scene) {
	for range 5 {
		_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
		require.NoError(t, err)
		s.write(t, s.anna, "later")
	}
	require.NoError(t, s.read(t, s.bob))
	for number := range uint64(7) {
		_, err := s.bob.client.ReadEntry(t.Context(), "prod", "app", &client.ReadOptions{Version: number + 1})
		require.NoError(t, err)
	}
}

// authorLeft: the account of the keyring's author is deleted, but the author's public key stays. The other members can
// still read the entries.
func authorLeft(t *testing.T, s *scene) {
	s.change(func() {
		s.boxes["prod"].keyring.Author.User = ""
		s.boxes["prod"].keyring.ETag = `"left"`
		delete(s.users, "anna")
	})
	require.NoError(t, s.read(t, s.bob))
	require.NoError(t, s.read(t, s.bob.fresh(t, s.server)))
}

// authorReset: the author has replaced the identity that signed the keyring. The other members can still read the
// entries.
func authorReset(t *testing.T, s *scene) {
	s.change(func() { s.register("anna", GenerateIdentity().Public()) })
	require.NoError(t, s.read(t, s.bob))
	require.NoError(t, s.read(t, s.bob.fresh(t, s.server)))
}

// keyHintForeign: the server claims that a version is encrypted under the key of another box. The client must not send
// that key.
func keyHintForeign(t *testing.T, s *scene) {
	_, err := s.anna.holder.CreateBox(t.Context(), s.anna.client, "stage", grantTo(s.bob))
	require.NoError(t, err)
	_, err = s.bob.holder.CurrentKey(t.Context(), s.bob.client, "stage")
	require.NoError(t, err)
	other, err := s.anna.holder.all(t.Context(), s.anna.client, "stage")
	require.NoError(t, err)
	for _, id := range []string{other.Key.ID().String(), "no key id", GenerateBoxKey().ID().String()} {
		s.change(func() {
			newest := &s.boxes["prod"].entries["app"][1]
			newest.id, newest.key = id, "another key"
		})
		require.ErrorIs(t, s.read(t, s.bob), client.ErrKeyNotForThisBox)
	}
	foreign := other.Key.EncryptionKey().Reveal()
	require.False(t, slices.ContainsFunc(s.seen, func(each seen) bool { return each.key == foreign }))
}

// staleWriter: the server refuses a write under an explicit key that is not the current key. Without an explicit key,
// the client fetches the changed keyring and repeats the write.
func staleWriter(t *testing.T, s *scene) {
	_, err := s.bob.client.WriteEntry(t.Context(), "prod", "app", 3,
		&client.WriteOptions{EncryptionKey: s.old.Key.EncryptionKey()})
	require.ErrorIs(t, err, client.ErrKeyNotCurrent)
	require.ErrorIs(t, err, client.ErrConflict)

	// The key changes after Bob fetched the keyring and before his write arrives.
	changed := false
	s.lie = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost && !changed {
			changed = true
			_, err := s.anna.holder.Rekey(context.WithoutCancel(r.Context()), s.anna.client, "prod")
			require.NoError(t, err)
		}
		return false
	}
	s.write(t, s.bob, 4)
	require.True(t, changed)
	now := s.opened(t, s.anna)
	require.Equal(t, now.Key.ID().String(), s.boxes["prod"].entries["app"][2].id)
}

// olderVersionTruthful: the server can present an older version as the newest one, if it also sends the number of the
// older version. Lockbox does not promise to prevent this.
func olderVersionTruthful(t *testing.T, s *scene) {
	s.change(func() { s.boxes["prod"].entries["app"] = s.boxes["prod"].entries["app"][:1] })
	entry, err := s.bob.client.ReadEntry(t.Context(), "prod", "app", nil)
	require.NoError(t, err)
	require.EqualValues(t, 1, entry.Version)
	require.Equal(t, s.old.Key.ID().String(), entry.KeyID)
}

// hiddenEntry: the server can deny that an entry exists. Lockbox does not promise to prevent this.
func hiddenEntry(t *testing.T, s *scene) {
	s.change(func() { delete(s.boxes["prod"].entries, "app") })
	require.ErrorIs(t, s.read(t, s.bob), client.ErrNotFound)
}

// memoryReadOnly: a client cannot write its memory. It accepts the keyring of a new box only if it has an anchor of
// that box.
func memoryReadOnly(t *testing.T, s *scene) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{filepath.Join(file, "known"), "/proc/known"} {
		unwritable := *s.bob
		unwritable.connect(t, s.server, dir)
		s.refused(t, &unwritable, client.ErrMemoryUnwritable)
		require.ErrorContains(t, s.read(t, &unwritable), "XDG_CONFIG_HOME")
		unwritable.connect(t, s.server, dir, func(c *Config) { c.Anchors = []Anchor{s.now.Anchor()} })
		require.NoError(t, s.read(t, &unwritable))
		unwritable.connect(t, s.server, dir, func(c *Config) { c.Anchors = []Anchor{{Box: randomID()}} })
		s.refused(t, &unwritable, client.ErrMemoryUnwritable)
	}
}

// staleNotModified: another process has accepted a newer keyring, but the server responds to this process with status
// 304. The status claims that the older keyring of this process is still the current one.
func staleNotModified(t *testing.T, s *scene) {
	other := *s.bob
	other.connect(t, s.server, s.bob.holder.Memory().dir)
	_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	require.NoError(t, s.read(t, &other))
	s.present("prod", &s.now.Keyring)
	s.change(func() { s.boxes["prod"].keyring.ETag = s.bob.holder.cached(s.bob.client, "prod").stored.ETag })
	s.refused(t, s.bob, client.ErrKeyringRolledBack)
}

// alwaysWrapped returns a function that can be assigned to server.lie. It sends a person the right wrapped key, even if
// the stored recipients do not include the person.
func (s *scene) alwaysWrapped(t *testing.T, p *person) func(http.ResponseWriter, *http.Request) bool {
	wrapped := wrappedFor(t, s.now, p)
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/keyring") {
			return false
		}
		s.change(func() {
			sent := s.answer(s.boxes["prod"].keyring, p.name, true)
			sent.Wrapped = wrapped
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("ETag", sent.ETag)
			_ = json.NewEncoder(w).Encode(sent)
		})
		return true
	}
}
