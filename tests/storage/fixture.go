package storage

import (
	"context"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// errRollback is the error that tests return from a unit of work to roll it back.
var errRollback = errors.New("roll back")

// fixture is a store that contains one server key for each purpose. Its methods add users, boxes and entries.
type fixture struct {
	*testing.T
	Store
	// now is the current time of the test. It has the precision with which storage saves times.
	now  time.Time
	keys map[domain.KeyPurpose]domain.ServerKeyID
	// reloads counts the calls of the store's hook onStaleServerKey. The hook returns reloadErr.
	reloads   int
	reloadErr error
}

func newFixture(t *testing.T, open Open) *fixture {
	t.Helper()
	f := &fixture{
		T:    t,
		now:  time.Now().UTC().Truncate(time.Microsecond),
		keys: make(map[domain.KeyPurpose]domain.ServerKeyID),
	}
	f.Store = open(t, func(context.Context) error {
		f.reloads++
		return f.reloadErr
	})
	for _, purpose := range domain.KeyPurposes() {
		f.keys[purpose] = f.addServerKey(purpose, 1)
	}
	return f
}

// id returns a new identifier.
func (f *fixture) id() [16]byte {
	f.Helper()
	id, err := uuid.NewV7()
	require.NoError(f, err)
	return id
}

// do runs a unit of work that must succeed.
func (f *fixture) do(fn func(ctx context.Context, repos ports.Repos) error) {
	f.Helper()
	require.NoError(f, f.Do(f.Context(), fn))
}

// requireCode requires a domain error with a stable code.
func (f *fixture) requireCode(err error, kind domain.Kind, code string) {
	f.Helper()
	require.ErrorIs(f, err, kind)
	require.Equal(f, code, domain.CodeOf(err))
}

func (f *fixture) addServerKey(purpose domain.KeyPurpose, generation int) domain.ServerKeyID {
	f.Helper()
	key := ports.ServerKey{
		ID:         f.id(),
		Purpose:    purpose,
		Generation: generation,
		Wrapped:    []byte{byte(generation)},
		CreatedAt:  f.now,
	}
	require.NoError(f, f.Read().ServerKeys.Add(f.Context(), []ports.ServerKey{key}))
	return key.ID
}

func (f *fixture) retire(key domain.ServerKeyID) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) error {
		return repos.ServerKeys.Retire(ctx, key, f.now)
	})
}

// password returns a SealedPassword for a user. The argument sealed is its content, which storage does not check.
func (f *fixture) password(user domain.UserID, sealed string) ports.SealedPassword {
	return ports.SealedPassword{User: user, ServerKey: f.keys[domain.KeyForAccounts], Sealed: []byte(sealed)}
}

// addUser stores a user with a password.
func (f *fixture) addUser(name domain.UserName) domain.User {
	f.Helper()
	user := domain.NewUser(f.id(), name, domain.RoleUser, f.now)
	f.do(func(ctx context.Context, repos ports.Repos) error {
		return repos.Users.Add(ctx, user, f.password(user.ID, "sealed "+string(name)))
	})
	return user
}

// saveUser changes a stored user.
func (f *fixture) saveUser(name domain.UserName, change func(*domain.User)) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) error {
		user, err := repos.Users.Lock(ctx, name)
		require.NoError(f, err)
		change(&user)
		return repos.Users.Save(ctx, user)
	})
}

// addAPIKey stores an API key that never expires, and returns the credential of the key.
func (f *fixture) addAPIKey(user domain.User) domain.Credential {
	f.Helper()
	key := domain.APIKey{
		ID:        f.id(),
		User:      user.ID,
		Name:      "key of " + string(user.Name),
		SignedBy:  f.keys[domain.KeyForAPIKeys],
		CreatedAt: f.now,
	}
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.APIKeys.Add(ctx, key) })
	return domain.Credential{Kind: domain.APIKeyCredential, ID: key.ID, User: user.ID}
}

// addSession stores a session that expires after an hour, and returns its credential.
func (f *fixture) addSession(user domain.User) domain.Credential {
	f.Helper()
	session := domain.NewSession(f.id(), user, f.now, time.Hour)
	session.SignedBy = f.keys[domain.KeyForSessions]
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.Sessions.Add(ctx, session) })
	return domain.Credential{Kind: domain.SessionCredential, ID: session.ID, User: user.ID}
}

// digest returns the digest of a text. The text makes a digest recognisable in tests.
func digest(text string) domain.Digest { return sha256.Sum256([]byte(text)) }

// tokenKeys returns the server keys for opaque tokens that the fixture had at the beginning of the test.
func (f *fixture) tokenKeys() domain.TokenKeys {
	return domain.TokenKeys{Session: f.keys[domain.KeyForSessions], Token: f.keys[domain.KeyForTokens]}
}

// addFamily stores a token family that expires after an hour. It also stores a token pair of the family. The digests of
// the two tokens are computed from the argument name.
func (f *fixture) addFamily(user domain.User, name string) (domain.TokenFamily, domain.TokenPair) {
	f.Helper()
	family := domain.NewTokenFamily(f.id(), user, f.now, time.Hour)
	family.Keys = f.tokenKeys()
	pair := domain.TokenPair{
		ID:              f.id(),
		Family:          family.ID,
		Access:          digest(name + "/access"),
		Refresh:         digest(name + "/refresh"),
		CreatedAt:       f.now,
		AccessExpiresAt: f.now.Add(time.Minute),
	}
	f.do(func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.TokenFamilies.Add(ctx, family))
		return repos.TokenFamilies.AddPair(ctx, pair)
	})
	return family, pair
}

// addBox stores a box with its owner as the only member.
func (f *fixture) addBox(owner domain.User, name domain.BoxName) domain.Box {
	f.Helper()
	box := domain.Box{
		ID:        f.id(),
		Name:      name,
		Owner:     owner.ID,
		Salt:      domain.BoxSalt{1, 2, 3},
		CreatedAt: f.now,
		UpdatedAt: f.now,
	}
	f.do(func(ctx context.Context, repos ports.Repos) error {
		require.NoError(f, repos.Boxes.Add(ctx, box))
		return repos.BoxUsers.Add(ctx, domain.NewBoxOwner(box.ID, owner.ID, owner.Name))
	})
	return box
}

// addMember adds a user to a box.
func (f *fixture) addMember(box domain.Box, user domain.User, permissions domain.Permissions) domain.BoxUser {
	f.Helper()
	member := domain.NewBoxUser(box.ID, user.ID, user.Name, domain.BoxRoleUser)
	member.Permissions = permissions
	f.do(func(ctx context.Context, repos ports.Repos) error { return repos.BoxUsers.Add(ctx, member) })
	return member
}

// office contains the owner of a box, the box, and one credential of the owner for each kind of credential.
type office struct {
	owner       domain.User
	box         domain.Box
	credentials []domain.Credential
	family      domain.TokenFamily
	pair        domain.TokenPair
}

func (f *fixture) office() office {
	f.Helper()
	owner := f.addUser("owner")
	o := office{owner: owner, box: f.addBox(owner, "box")}
	o.family, o.pair = f.addFamily(owner, "owner")
	o.credentials = []domain.Credential{
		f.addAPIKey(owner),
		f.addSession(owner),
		{Kind: domain.AccessTokenCredential, User: owner.ID, Digest: o.pair.Access},
	}
	return o
}

// event returns an event that tests recognise by its target.
func (f *fixture) event(target string) domain.Event {
	f.Helper()
	return domain.NewEvent(f.id(), domain.ActionReadEntry, domain.Requester{}, domain.Caller{}, f.now).To(target)
}

// targets returns the targets of all events, oldest first.
func (f *fixture) targets() []string {
	f.Helper()
	page, err := f.Read().Events.List(f.Context(), ports.EventFilter{Limit: 1000})
	require.NoError(f, err)
	events := page.Events
	targets := make([]string, len(events))
	for i, event := range events {
		targets[len(events)-1-i] = event.Target
	}
	return targets
}

// newVersion returns a version of an entry, sealed under the current server key.
func (f *fixture) newVersion(entry domain.Entry, author domain.UserID, value string) ports.NewVersion {
	return ports.NewVersion{
		Place: ports.Place{
			Box:      entry.Box,
			Key:      entry.Key,
			Version:  entry.Version,
			SealedAs: entry.Version,
		},
		Sealed: ports.SealedValue{
			ServerKey: f.keys[domain.KeyForEntries],
			Envelope:  []byte("envelope of " + value[:min(len(value), 20)]),
			Value:     []byte(value),
		},
		Author: author,
	}
}

// write writes a version in a transaction that locks the entry, like a use case. It returns the version number.
func (f *fixture) write(o office, key domain.EntryKey, value string, keep int) (version uint64) {
	f.Helper()
	f.do(func(ctx context.Context, repos ports.Repos) error {
		locked, err := repos.Entries.Lock(ctx, o.credentials[0], o.box, key, f.now)
		require.NoError(f, err)
		if !locked.Entry.Exists() {
			require.NoError(f, repos.Entries.CountIn(ctx, o.box.ID, key, 0, f.now))
		}
		entry := locked.Entry.Next(f.now)
		version = entry.Version
		return repos.Entries.AddVersion(ctx, entry, f.newVersion(entry, o.owner.ID, value), keep, f.event("write"))
	})
	return version
}
