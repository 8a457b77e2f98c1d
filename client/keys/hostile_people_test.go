package keys

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// TestHostilePeople runs the attacks on identities and on the users of a keyring. TestHostileLockedIdentities runs the
// attacks that derive keys from passphrases.
func TestHostilePeople(t *testing.T) {
	t.Parallel()
	for name, attack := range map[string]func(*testing.T, *scene){
		"UserRecreated":          userRecreated,
		"SwappedPublicKey":       swappedPublicKey,
		"SwappedAtKeyChange":     swappedAtKeyChange,
		"YesDoesNotConfirm":      yesDoesNotConfirm,
		"FakeWaitingMember":      fakeWaitingMember,
		"FakeUserIdOfRemoved":    fakeUserIDOfRemoved,
		"BadPublicKey":           badPublicKeys,
		"MissingIdentityAtLogin": missingIdentityAtLogin,
		"LockedByApiKey":         lockedByAPIKey,
		"LockedAfterAdminReset":  lockedAfterAdminReset,
		"GrantRacesRekey":        grantRacesRekey,
		"RemoveKilled":           removeKilled,
		"AdminRemovesWithoutKey": adminRemovesWithoutKey,
		"BundleInAuthorization":  bundleInAuthorization,
		"MemoryRace":             memoryRace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			attack(t, newScene(t))
		})
	}
}

// nothingWrapped verifies that a grant fails with the given kind of error and stores no keyring.
func (s *scene) nothingWrapped(t *testing.T, p *person, grant Grant, kind error) {
	t.Helper()
	before := len(s.sent("PUT", "/keyring"))
	_, err := p.holder.Grant(t.Context(), p.client, "prod", grant)
	require.ErrorIs(t, err, kind)
	require.Len(t, s.sent("PUT", "/keyring"), before)
}

// userRecreated: another user now has the name of a confirmed user.
func userRecreated(t *testing.T, s *scene) {
	s.change(func() { s.users["bob"].id = randomID() })
	again := s.join(t, "bob")
	s.nothingWrapped(t, s.anna, Grant{User: "bob"}, client.ErrUserReplaced)
	s.nothingWrapped(t, s.anna, grantTo(again), client.ErrUserReplaced)
	_, err := s.anna.holder.Remove(t.Context(), s.anna.client, "prod", "bob")
	require.ErrorIs(t, err, client.ErrUserReplaced)
	require.NoError(t, s.anna.holder.Memory().ForgetUser(s.installation, "bob"))
	_, err = s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(again))
	require.NoError(t, err, "after the user forgot the old one")
}

// swappedPublicKey: a member grants the key to a user, but the server presents a false public key of that user. The
// right fingerprint was confirmed before, was typed, or is in the keyring.
func swappedPublicKey(t *testing.T, s *scene) {
	right := grantTo(s.mallory)
	require.NoError(t, s.anna.holder.Memory().PinUser(s.installation, "mallory", s.users["mallory"].id,
		s.mallory.id.Fingerprint()))
	s.change(func() { s.register("mallory", GenerateIdentity().Public()) })
	s.nothingWrapped(t, s.anna, Grant{User: "mallory"}, client.ErrIdentityChanged)
	s.nothingWrapped(t, s.anna, right, client.ErrIdentityChanged)

	confirmsAll := s.anna.fresh(t, s.server, func(c *Config) {
		c.ConfirmUser = func(context.Context, UserToConfirm) error { return nil }
	})
	s.change(func() { s.register("bob", GenerateIdentity().Public()) })
	s.nothingWrapped(t, confirmsAll, Grant{User: "bob"}, client.ErrIdentityChanged)
}

// swappedAtKeyChange: the server presents a public key that does not match the fingerprint of the recipient.
func swappedAtKeyChange(t *testing.T, s *scene) {
	s.change(func() {
		swapped := *s.identities[s.bob.id.Fingerprint().String()]
		swapped.Public = GenerateIdentity().Public().String()
		s.identities[s.bob.id.Fingerprint().String()] = &swapped
	})
	before := len(s.sent("PUT", "/keyring"))
	_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.ErrorIs(t, err, client.ErrIdentityInvalid)
	require.Len(t, s.sent("PUT", "/keyring"), before)
}

// yesDoesNotConfirm: a new user gets a key only after a person has compared the user's fingerprint.
func yesDoesNotConfirm(t *testing.T, s *scene) {
	s.nothingWrapped(t, s.anna, Grant{User: "mallory"}, client.ErrIdentityUnconfirmed)
	_, err := s.anna.holder.CreateBox(t.Context(), s.anna.client, "stage", Grant{User: "mallory"})
	require.ErrorIs(t, err, client.ErrIdentityUnconfirmed)
	require.Empty(t, s.sent("POST", "/boxes/stage"), "the box is not created")
	declining := s.anna.fresh(t, s.server, func(c *Config) {
		c.ConfirmUser = func(_ context.Context, u UserToConfirm) error {
			require.Equal(t, UserToConfirm{"mallory", s.mallory.id.Fingerprint()}, u)
			return context.Canceled
		}
	})
	s.nothingWrapped(t, declining, Grant{User: "mallory"}, context.Canceled)
	short := Grant{User: "mallory", Fingerprint: s.mallory.id.Fingerprint().Display()[:11]}
	s.nothingWrapped(t, s.anna, short, client.ErrIdentityChanged)
}

// fakeWaitingMember: the server reports a member who waits for a key. Changes of the keyring do not give this member
// the key.
func fakeWaitingMember(t *testing.T, s *scene) {
	s.change(func() {
		s.boxes["prod"].members = append(s.boxes["prod"].members, "mallory")
		s.boxes["prod"].keyring.Waiting = []client.KeyringUser{{
			User:        "mallory",
			UserID:      s.users["mallory"].id.String(),
			Fingerprint: s.mallory.id.Fingerprint().String(),
		}}
	})
	members, err := s.anna.holder.Members(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	require.Len(t, members.Waiting, 1)
	carol := s.join(t, "carol")
	_, err = s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(carol))
	require.NoError(t, err)
	_, err = s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
	require.NoError(t, err)
	_, err = s.anna.holder.Remove(t.Context(), s.anna.client, "prod", "bob")
	require.NoError(t, err)
	_, ok := s.opened(t, s.anna).Recipient(s.mallory.id.Fingerprint())
	require.False(t, ok)
	require.ErrorIs(t, s.read(t, s.mallory), client.ErrNotRecipient)
}

// fakeUserIDOfRemoved: the server reports a wrong user id for a member who is removed. With this id, the member would
// stay a recipient.
func fakeUserIDOfRemoved(t *testing.T, s *scene) {
	s.lie = func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/users/bob") {
			return false
		}
		w.Header().Set("X-Lockbox-User-Id", randomID().String())
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"username":"bob"}`))
		return true
	}
	_, err := s.anna.holder.Remove(t.Context(), s.anna.client, "prod", "bob")
	require.ErrorIs(t, err, client.ErrUserReplaced)
}

// badPublicKeys: the server presents public keys that are malformed or do not match their fingerprint.
func badPublicKeys(t *testing.T, s *scene) {
	good := *s.users["mallory"].public
	malformed := s.mallory.id.Public()
	for i := range hpkePublicLen {
		malformed.raw[1+i] = 0xff // coefficients of ML-KEM that are out of range
	}
	otherVersion := s.mallory.id.Public()
	otherVersion.raw[0] = 2
	for _, public := range []string{
		"",
		"lbpk1_",
		good.Public[:len(good.Public)-1] + "!",
		malformed.String(),
		otherVersion.String(),
		GenerateIdentity().Public().String(),
	} {
		s.change(func() {
			bad := good
			bad.Public = public
			s.users["mallory"].public = &bad
		})
		s.nothingWrapped(t, s.anna, grantTo(s.mallory), client.ErrIdentityInvalid)
	}
}

// missingIdentityAtLogin: the server denies that a user has an identity. The client creates none.
func missingIdentityAtLogin(t *testing.T, s *scene) {
	s.change(func() { s.users["bob"].public = nil })
	found, err := FindOwn(t.Context(), s.bob.client, s.bob.holder.Memory())
	require.NoError(t, err)
	require.Nil(t, found)
	require.Empty(t, s.sent("PUT", "/identity"))
}

// lockedByAPIKey: a client that authenticates with an API key cannot fetch the locked identity.
func lockedByAPIKey(t *testing.T, s *scene) {
	s.lie = problem("/locked", http.StatusForbidden, "recent_sign_in_required")
	_, err := FetchLocked(t.Context(), s.bob.client, s.bob.holder.Memory())
	require.ErrorIs(t, err, client.ErrRecentSignInRequired)
	require.ErrorIs(t, err, client.ErrForbidden)
}

// lockedAfterAdminReset: an admin set the password, so the server has deleted the locked identity.
func lockedAfterAdminReset(t *testing.T, s *scene) {
	_, err := FetchLocked(t.Context(), s.bob.client, s.bob.holder.Memory())
	require.ErrorIs(t, err, client.ErrNotFound)
	require.Empty(t, s.sent("PUT", "/identity"))
}

// problem returns a function that can be assigned to server.lie. It responds with an error to every request whose path
// ends in suffix.
func problem(suffix string, status int, code string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, suffix) {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"code":"` + code + `","detail":"because"}`))
		return true
	}
}

// grantRacesRekey: two members change the keyring at the same time. The member who grants the key receives status 412,
// fetches the keyring of the other member, and wraps the new key.
func grantRacesRekey(t *testing.T, s *scene) {
	conflicts := 0
	s.lie = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut && callerOf(r) == "anna" && conflicts == 0 {
			conflicts++
			_, err := s.bob.holder.Rekey(context.WithoutCancel(r.Context()), s.bob.client, "prod")
			require.NoError(t, err)
		}
		return false
	}
	granted, err := s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(s.mallory))
	require.NoError(t, err)
	require.Equal(t, 1, conflicts)
	now := s.opened(t, s.mallory)
	require.Equal(t, granted.Anchor.Key, now.Key.ID())
	require.NotEqual(t, s.now.Key.ID(), now.Key.ID(), "it is the key of Bob's change")
	require.EqualValues(t, s.now.Head.Sequence+2, now.Head.Sequence)
}

// removeKilled: the connection breaks before or after the server removes the member. The client then finds out whether
// the member was removed.
func removeKilled(t *testing.T, s *scene) {
	for _, done := range []bool{false, true} {
		carol := s.join(t, "carol")
		require.NoError(t, s.anna.client.AddBoxUser(t.Context(), "prod", "carol", ""))
		s.change(func() { s.lie = nil })
		_, err := s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(carol))
		require.NoError(t, err)
		before := s.opened(t, s.anna)
		s.change(func() { s.lie = s.hangUp(done) })
		removed, err := s.anna.holder.Remove(t.Context(), s.anna.client, "prod", "carol")
		s.change(func() { s.lie = nil })
		now := s.opened(t, s.anna)
		_, recipient := now.Recipient(carol.id.Fingerprint())
		if done {
			require.NoError(t, err)
			require.True(t, removed.KeyChanged)
			require.NotEqual(t, before.Key.ID(), now.Key.ID())
		} else {
			require.ErrorIs(t, err, client.ErrOutcomeUnknown)
			require.Equal(t, before.Key.ID(), now.Key.ID())
		}
		require.Equal(t, !done, recipient)
		require.Equal(t, !done, slices.Contains(s.boxes["prod"].members, "carol"))
		s.change(func() { delete(s.users, "carol") })
		require.NoError(t, s.anna.holder.Memory().ForgetUser(s.installation, "carol"))
	}
}

// hangUp returns a function that can be assigned to server.lie. It breaks the connection of every request that stores a
// keyring. If done is true, the server executes the request before the connection breaks.
func (s *scene) hangUp(done bool) func(http.ResponseWriter, *http.Request) bool {
	stored := false
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		if done && !stored {
			stored = true
			s.change(func() {
				r.SetPathValue("box", "prod")
				s.writeKeyring(discard{}, r)
			})
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			_ = conn.Close()
		}
		return true
	}
}

// discard is a ResponseWriter that keeps nothing.
type discard struct{}

func (discard) Header() http.Header         { return http.Header{} }
func (discard) Write(b []byte) (int, error) { return len(b), nil }
func (discard) WriteHeader(int)             {}

// adminRemovesWithoutKey: a boxadmin without the key removes a member. The membership ends, but the key does not
// change.
func adminRemovesWithoutKey(t *testing.T, s *scene) {
	removed, err := s.mallory.holder.Remove(t.Context(), s.mallory.client, "prod", "bob")
	require.NoError(t, err)
	require.False(t, removed.KeyChanged)
	require.NotContains(t, s.boxes["prod"].members, "bob")
	require.Len(t, s.sent("DELETE", "/users/bob"), 1)

	// The server now reports that a key change is due. Therefore, the next grant must change the key, and must not give
	// the new key to Bob.
	s.change(func() {
		s.boxes["prod"].keyring.Due = []client.KeyringUser{{User: "bob", Fingerprint: s.bob.id.Fingerprint().String()}}
	})
	granted, err := s.anna.holder.Grant(t.Context(), s.anna.client, "prod", grantTo(s.mallory))
	require.NoError(t, err)
	require.True(t, granted.KeyChanged)
	require.Len(t, granted.Dropped, 1)
	now := s.opened(t, s.anna)
	_, ok := now.Recipient(s.bob.id.Fingerprint())
	require.False(t, ok)
	require.NotEqual(t, s.now.Key.ID(), now.Key.ID())
}

// bundleInAuthorization: a request contains an identity in place of another value, such as the token. The client does
// not send the request.
func bundleInAuthorization(t *testing.T, s *scene) {
	bundle := s.bob.id.Reveal() + "~" + s.now.Anchor().String()
	before := len(s.seen)
	c := s.bob.client.WithIdentity(nil).WithEncryptionKey(client.GenerateEncryptionKey())
	passphrase, err := client.PassphraseKey([]byte(bundle))
	require.NoError(t, err)
	for name, send := range map[string]func() error{
		"token": func() error { return second(c.WithToken(client.NewSecret(bundle)).WhoAmI(t.Context())) },
		"upper case": func() error {
			return second(c.WithToken(client.NewSecret(strings.ToUpper(bundle))).WhoAmI(t.Context()))
		},
		"path":  func() error { return second(c.ReadEntry(t.Context(), bundle, "app", nil)) },
		"query": func() error { return second(c.ListEntries(t.Context(), "prod", bundle)) },
		"value": func() error { return second(c.WriteEntry(t.Context(), "prod", "app", bundle, nil)) },
		"key": func() error {
			return second(c.WithEncryptionKey(passphrase).ReadEntry(t.Context(), "prod", "app", nil))
		},
		"credentials": func() error {
			return second(c.SignIn(t.Context(), client.Credentials{Password: client.NewSecret(bundle)}))
		},
	} {
		err := send()
		require.ErrorIs(t, err, client.ErrIdentityExposed, name)
		require.ErrorIs(t, err, client.ErrInvalid, name)
		require.NotContains(t, err.Error(), s.bob.id.Reveal(), name)
	}
	require.Len(t, s.seen, before, "nothing was sent")
}

// memoryRace: several processes accept keyrings at the same time, in any order. At the end, the memory must contain the
// keyring with the highest number.
func memoryRace(t *testing.T, s *scene) {
	var all []*state
	for range 8 {
		_, err := s.anna.holder.Rekey(t.Context(), s.anna.client, "prod")
		require.NoError(t, err)
		one, err := s.bob.holder.open(ptr(s.answer(s.boxes["prod"].keyring, "bob", true)))
		require.NoError(t, err)
		all = append(all, one)
	}
	var processes sync.WaitGroup
	for i := range all {
		process := *s.bob
		process.connect(t, s.server, s.bob.holder.Memory().dir)
		processes.Go(func() {
			_, err := process.holder.accept(t.Context(), process.client, "prod", all[(i*5)%len(all)])
			if err != nil && !isRolledBack(err) {
				t.Error(err)
			}
		})
	}
	processes.Wait()
	known, ok, err := s.bob.holder.Memory().Box(s.installation, "prod")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, all[len(all)-1].Head.Sequence, known.Sequence)
}

func ptr[T any](value T) *T { return &value }

func isRolledBack(err error) bool {
	failure, ok := err.(*client.Error) //nolint:errorlint // accept returns it unwrapped
	return ok && failure.Is(client.ErrKeyringRolledBack)
}
