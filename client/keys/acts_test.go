package keys

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestOneRequestForTheKeyring checks that a read and a write begin with one request for the keyring. After the client
// has seen the keyring, the server responds to this request with 304, even if a new process sends it.
func TestOneRequestForTheKeyring(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	statuses := func(p *person) (methods []string) {
		t.Helper()
		start := len(s.seen)
		require.NoError(t, s.read(t, p))
		for _, each := range s.seen[start:] {
			methods = append(methods, each.method+" "+each.path)
		}
		return methods
	}
	want := []string{"GET /boxes/prod/keyring", "GET /boxes/prod/entries/app"}
	require.Equal(t, want, statuses(s.bob))
	var unchanged atomic.Int32
	s.change(func() {
		s.lie = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("If-None-Match") == s.boxes["prod"].keyring.ETag {
				unchanged.Add(1)
			}
			return false
		}
	})
	require.Equal(t, want, statuses(s.bob))
	require.EqualValues(t, 1, unchanged.Load())
	again := *s.bob
	again.connect(t, s.server, s.bob.holder.Memory().dir)
	require.Equal(t, want, statuses(&again))
	require.EqualValues(t, 2, unchanged.Load())
}

// TestBoxesWithoutAKeyring checks which key a client with an identity sends. For a box without a keyring, it must send
// the configured key. For a read with an explicit key, it must always send the explicit key.
func TestBoxesWithoutAKeyring(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	require.NoError(t, s.bob.client.CreateBox(t.Context(), "plain"))
	_, err := s.bob.client.WriteEntry(t.Context(), "plain", "app", 1, nil)
	require.ErrorIs(t, err, client.ErrEncryptionKeyRequired)
	key := client.GenerateEncryptionKey()
	c := s.bob.client.WithEncryptionKey(key)
	_, err = c.WriteEntry(t.Context(), "plain", "app", 1, nil)
	require.NoError(t, err)
	_, err = s.bob.client.ReadEntry(t.Context(), "plain", "app", &client.ReadOptions{EncryptionKey: key})
	require.NoError(t, err)

	old := s.old.Key.EncryptionKey()
	entry, err := s.bob.client.ReadEntry(t.Context(), "prod", "app",
		&client.ReadOptions{Version: 1, EncryptionKey: old})
	require.NoError(t, err)
	require.JSONEq(t, "1", string(entry.Value))
	_, err = c.ReadEntry(t.Context(), "prod", "app", nil)
	require.NoError(t, err, "the keyring's key, not the configured one")
	for _, each := range s.seen {
		require.False(t, each.key == key.Reveal() && strings.HasPrefix(each.path, "/boxes/prod"))
	}
}

// TestRestoreOfAnEarlierKey restores a version that is encrypted under an earlier key, and checks that the new version
// is encrypted under the current key.
func TestRestoreOfAnEarlierKey(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	written, err := s.bob.client.RestoreEntry(t.Context(), "prod", "app", 1, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, written.Version)
	newest := s.boxes["prod"].entries["app"][2]
	require.JSONEq(t, "1", string(newest.value))
	require.Equal(t, s.now.Key.ID().String(), newest.id)
}

// TestAdopt makes a keyring for a box whose key was shared by hand. It also interrupts Adopt, and checks that a second
// call completes the change.
func TestAdopt(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	key := client.GenerateEncryptionKey()
	c := s.anna.client.WithEncryptionKey(key)
	require.NoError(t, c.CreateBox(t.Context(), "hand"))
	for _, name := range []string{"a", "b"} {
		_, err := c.WriteEntry(t.Context(), "hand", name, name, nil)
		require.NoError(t, err)
	}
	passphrase, err := client.PassphraseKey([]byte("hunter2"))
	require.NoError(t, err)
	require.ErrorIs(t, s.anna.holder.Adopt(t.Context(), s.anna.client, "hand", passphrase), client.ErrKeyringInvalid)
	err = s.anna.holder.Adopt(t.Context(), s.anna.client, "hand", client.GenerateEncryptionKey())
	require.ErrorIs(t, err, client.ErrEncryptionKeyMismatch)

	// The second of the two requests that store a keyring fails.
	var puts atomic.Int32
	s.change(func() {
		s.lie = func(w http.ResponseWriter, r *http.Request) bool {
			return r.Method == http.MethodPut && puts.Add(1) == 2 && problem("", 403, "forbidden")(w, r)
		}
	})
	require.ErrorIs(t, s.anna.holder.Adopt(t.Context(), s.anna.client, "hand", key), client.ErrForbidden)
	require.NoError(t, s.anna.holder.Adopt(t.Context(), s.anna.client, "hand", key))
	for _, name := range []string{"a", "b"} {
		_, err := s.anna.client.ReadEntry(t.Context(), "hand", name, nil)
		require.NoError(t, err, "the versions from before the keyring have no key id")
	}
	_, err = s.anna.client.WriteEntry(t.Context(), "hand", "a", 2, nil)
	require.NoError(t, err)
	err = s.anna.holder.Adopt(t.Context(), s.anna.client, "hand", key)
	require.Error(t, err, "it has another key now")

	rewritten, err := s.anna.holder.Rewrite(t.Context(), s.anna.client, "hand", nil)
	require.NoError(t, err)
	require.Equal(t, Rewritten{Entries: 1, Current: 1}, rewritten)
}

// TestRewriteIsResumable stops a rewrite after each entry, and changes entries meanwhile.
func TestRewriteIsResumable(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const entries = 30
	for i := range entries {
		_, err := s.anna.client.WriteEntry(t.Context(), "prod", "e"+strconv.Itoa(i), i, nil)
		require.NoError(t, err)
	}
	s.change(func() { s.boxes["prod"].entries["foreign"] = []version{{[]byte("1"), "hunter2", ""}} })
	_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	total := 0
	for range 2 * entries {
		ctx, stop := context.WithCancel(t.Context())
		result, err := s.anna.holder.Rewrite(ctx, s.anna.client, "prod", func(done, all int) {
			require.LessOrEqual(t, done, all)
			stop()
		})
		stop()
		total += result.Entries
		if err == nil {
			break
		}
		require.ErrorIs(t, err, context.Canceled)
	}
	result, err := s.anna.holder.Rewrite(t.Context(), s.anna.client, "prod", nil)
	require.NoError(t, err)
	require.Equal(t, []string{"foreign"}, result.Foreign)
	require.Equal(t, entries+1, result.Entries+result.Current)
	now := s.opened(t, s.bob)
	for i := range entries {
		versions := s.boxes["prod"].entries["e"+strconv.Itoa(i)]
		require.Len(t, versions, 2, "each entry is written once")
		require.Equal(t, now.Key.ID().String(), versions[1].id)
		entry, err := s.bob.client.ReadEntry(t.Context(), "prod", "e"+strconv.Itoa(i), &client.ReadOptions{Version: 1})
		require.NoError(t, err, "the older version still opens")
		require.Equal(t, strconv.Itoa(i), strings.TrimSpace(string(entry.Value)))
	}
}

// TestRewriteFollowsOtherWrites checks a rewrite during which another member writes an entry and changes the key.
func TestRewriteFollowsOtherWrites(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	require.NoError(t, s.read(t, s.bob))
	var writes atomic.Int32
	s.change(func() {
		s.lie = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPost && callerOf(r) == "anna" && writes.Add(1) == 1 {
				s.write(t, s.bob, "by Bob")
				_, err := s.bob.holder.Rekey(context.WithoutCancel(r.Context()), s.bob.client, "prod")
				require.NoError(t, err)
			}
			return false
		}
	})
	result, err := s.anna.holder.Rewrite(t.Context(), s.anna.client, "prod", nil)
	require.NoError(t, err)
	require.Equal(t, 1, result.Entries+result.Current)
	versions := s.boxes["prod"].entries["app"]
	require.JSONEq(t, `"by Bob"`, string(versions[len(versions)-1].value))
}

// TestRepair checks the repair after a restore of the server's database. The restored database contains an older
// keyring of the box, or no keyring.
func TestRepair(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		s := newScene(t)
		s.write(t, s.anna, "before")
		if lost {
			s.change(func() { s.boxes["prod"].keyring = nil })
			s.refused(t, s.anna, client.ErrKeyringMissing)
		} else {
			s.present("prod", &s.old.Keyring)
			s.refused(t, s.anna, client.ErrKeyringRolledBack)
		}
		s.change(func() { s.boxes["prod"].members = []string{"anna"} }) // Bob is not a member in the restored database
		dropped, err := s.anna.holder.Repair(t.Context(), s.anna.client, "prod")
		require.NoError(t, err)
		require.Len(t, dropped, 1)
		require.Equal(t, "bob", dropped[0].User)
		require.NoError(t, s.read(t, s.anna))
		s.write(t, s.anna, "after")
		_, err = s.anna.client.ReadEntry(t.Context(), "prod", "app", &client.ReadOptions{Version: 1})
		require.NoError(t, err)
		_, err = s.anna.holder.Repair(t.Context(), s.anna.client, "prod")
		require.ErrorIs(t, err, client.ErrKeyringSequence, "there is nothing to repair")

		_, err = s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(s.bob))
		require.NoError(t, err)
		require.NoError(t, s.read(t, s.bob), "it continues what Bob remembers")
	}
}

// TestRepairWithTheShortForm checks a repair by a client that has never fetched the list of recipients. The user of
// this client becomes the only recipient.
func TestRepairWithTheShortForm(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.present("prod", &s.old.Keyring)
	_, err := s.bob.holder.Repair(t.Context(), s.bob.client, "prod")
	require.NoError(t, err)
	require.Len(t, s.opened(t, s.bob).Recipients, 1)
	require.NoError(t, s.read(t, s.bob))
	require.ErrorIs(t, s.read(t, s.mallory), client.ErrNotRecipient)
	_, err = s.mallory.holder.Repair(t.Context(), s.mallory.client, "prod")
	require.ErrorIs(t, err, client.ErrKeyringMissing, "this client never had the keyring")
}

// TestReset checks that clients that know a box refuse its keyring after a reset, and that a client accepts the keyring
// after it has forgotten the box.
func TestReset(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	_, err := s.mallory.holder.Reset(t.Context(), s.mallory.client, "prod", grantTo(s.bob))
	require.NoError(t, err)
	require.Empty(t, s.opened(t, s.mallory).Earlier)
	s.refused(t, s.bob, client.ErrKeyringNotContinued)
	s.refused(t, s.anna, client.ErrNotRecipient)
	require.NoError(t, s.bob.holder.Forget(t.Context(), s.bob.client, "prod"))
	s.write(t, s.bob, "anew")
}

func TestActsNeedAKeyring(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	require.NoError(t, s.anna.client.CreateBox(t.Context(), "plain"))
	_, err := s.anna.holder.Grant(t.Context(), s.anna.client, "plain", grantTo(s.bob))
	require.ErrorIs(t, err, client.ErrNoKeyring)
	_, err = s.anna.holder.Rekey(t.Context(), s.anna.client, "plain")
	require.ErrorIs(t, err, client.ErrNoKeyring)
	_, err = s.anna.holder.Rewrite(t.Context(), s.anna.client, "plain", nil)
	require.ErrorIs(t, err, client.ErrNoKeyring)
	_, err = s.anna.holder.Members(t.Context(), s.anna.client, "plain")
	require.ErrorIs(t, err, client.ErrNoKeyring)
	_, err = s.anna.holder.CreateKeyring(t.Context(), s.anna.client, "plain")
	require.NoError(t, err)
	_, err = s.anna.holder.CreateKeyring(t.Context(), s.anna.client, "plain")
	require.Error(t, err, "it has one")
}

// TestTheAnchorOfAGrant checks that a new member who trusts the anchor accepts later keyrings of the box.
func TestTheAnchorOfAGrant(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	granted, err := s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(s.mallory))
	require.NoError(t, err)
	require.NoError(t, s.mallory.holder.Memory().Trust(s.installation, "prod", granted.Anchor))
	_, err = s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	require.NoError(t, s.read(t, s.mallory))
	again, err := s.anna.holder.Grant(t.Context(), s.anna.client, "prod", Grant{User: "mallory"})
	require.NoError(t, err, "a grant of what is granted changes nothing")
	require.False(t, again.KeyChanged)
}

// TestMemoryFiles checks the permissions of the files of a memory. It also checks that a damaged memory causes an
// error, and that a damaged copy of a keyring is fetched again.
func TestMemoryFiles(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	dir := s.bob.holder.Memory().dir
	found, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, found, 3, "the memory, its lock and one keyring")
	for _, each := range found {
		info, err := each.Info()
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	text, err := os.ReadFile(filepath.Join(dir, "known.json"))
	require.NoError(t, err)
	require.NotContains(t, string(text), "lbid1_")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "known.json"), []byte("{"), 0o600))
	s.refused(t, s.bob, client.ErrMemoryUnwritable)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "known.json"), text, 0o600))
	require.NoError(t, s.read(t, s.bob))
	kept, err := filepath.Glob(filepath.Join(dir, "*-*.json"))
	require.NoError(t, err)
	require.Len(t, kept, 1)
	for _, damage := range []string{"", "{}", `{"head":"AAAA"}`, "[]"} {
		require.NoError(t, os.WriteFile(kept[0], []byte(damage), 0o600))
		again := *s.bob
		again.connect(t, s.server, dir)
		require.NoError(t, s.read(t, &again), "a damaged keyring is fetched again")
	}
}

func TestMemoryInProcess(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	p := s.bob.fresh(t, s.server, func(c *Config) { c.Memory = MemoryInProcess() })
	require.NoError(t, s.read(t, p))
	s.present("prod", &s.old.Keyring)
	s.refused(t, p, client.ErrKeyringRolledBack)
}

func TestParseBundle(t *testing.T) {
	t.Parallel()
	id, anchor := GenerateIdentity(), Anchor{Box: randomID(), Mode: ModeClient, Key: GenerateBoxKey().ID()}
	for count := range 3 {
		text := id.Reveal() + strings.Repeat("~"+anchor.String(), count)
		parsed, anchors, err := ParseBundle(text)
		require.NoError(t, err)
		require.Equal(t, id.Reveal(), parsed.Reveal())
		require.Len(t, anchors, count)
	}
	for _, text := range []string{"", "~", id.Reveal() + "~", id.Reveal() + "~x", anchor.String(), id.Reveal() + "\n"} {
		_, _, err := ParseBundle(text)
		require.Error(t, err)
		require.NotContains(t, err.Error(), id.Reveal())
	}
}

// TestHolderFromEnv is not parallel, because it sets environment variables.
func TestHolderFromEnv(t *testing.T) {
	id, file := GenerateIdentity(), filepath.Join(t.TempDir(), "identity")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	h, err := HolderFromEnv()
	require.NoError(t, err)
	require.Nil(t, h)
	key, err := h.CurrentKey(t.Context(), nil, "prod")
	require.NoError(t, err)
	require.True(t, key.IsZero())
	t.Setenv("LOCKBOX_IDENTITY_FILE", file)
	_, err = HolderFromEnv()
	require.ErrorIs(t, err, client.ErrIdentityInvalid)
	require.NoError(t, os.WriteFile(file, []byte(id.Reveal()+"\n"), 0o600))
	h, err = HolderFromEnv()
	require.NoError(t, err)
	require.Equal(t, id.Fingerprint(), h.Identity().Fingerprint())
	t.Setenv("LOCKBOX_IDENTITY", id.Reveal())
	_, err = HolderFromEnv()
	require.ErrorContains(t, err, "set only one")
	t.Setenv("LOCKBOX_IDENTITY_FILE", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	t.Setenv("HOME", "")
	_, err = HolderFromEnv()
	require.ErrorIs(t, err, client.ErrMemoryUnwritable)
	t.Setenv("LOCKBOX_IDENTITY", id.Reveal()+"~"+Anchor{Key: GenerateBoxKey().ID()}.String())
	_, err = HolderFromEnv()
	require.NoError(t, err)
}
