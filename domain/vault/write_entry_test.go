package vault_test

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/vault"
	"github.com/lockbox-go/lockbox/ports"
	"github.com/lockbox-go/lockbox/tests/pgtest"
	"github.com/lockbox-go/lockbox/tests/usecases"
)

// boxed contains the use cases of boxes, the owner of the box "box", and a member who has some permissions in this box.
type boxed struct {
	*usecases.Boxes
	t             testing.TB
	owner, member domain.Requester
}

func newBox(t testing.TB, permissions domain.Permissions, change ...func(*vault.Config)) *boxed {
	t.Helper()
	b := &boxed{Boxes: usecases.OpenBoxes(t, change...), t: t}
	b.owner, b.member = b.User("owner", domain.Group{}), b.User("member", domain.Group{})
	_, err := b.Vault.CreateBox(t.Context(), b.owner, "box")
	require.NoError(t, err)
	_, _, err = b.Vault.AddBoxUser(t.Context(), b.owner, vault.AddBoxUser{Box: "box", Username: "member"})
	require.NoError(t, err)
	b.permit(permissions)
	return b
}

// permit sets the member's permissions.
func (b *boxed) permit(permissions domain.Permissions) {
	b.t.Helper()
	require.NoError(b.t, b.Vault.SetPermissions(b.t.Context(), b.owner,
		vault.SetPermissions{Box: "box", Username: "member", Names: permissions.Names()}))
}

func (b *boxed) write(by domain.Requester, value, key string, condition ...domain.Condition) (vault.WrittenEntry,
	error) {
	b.t.Helper()
	in := vault.WriteEntry{
		Box:           "box",
		Key:           "entry",
		Value:         []byte(value),
		EncryptionKey: usecases.Key(b.t, key),
	}
	for _, each := range condition {
		in.Condition = each
	}
	return b.Vault.WriteEntry(b.t.Context(), by, in)
}

func (b *boxed) read(by domain.Requester, key string) (string, error) {
	b.t.Helper()
	value, err := b.Vault.ReadEntry(b.t.Context(), by,
		vault.ReadEntry{Box: "box", Key: "entry", EncryptionKey: usecases.Key(b.t, key)})
	return string(value.JSON), err
}

// expect reads the entry as the owner of the box and verifies its value.
func (b *boxed) expect(value, key string) {
	b.t.Helper()
	got, err := b.read(b.owner, key)
	require.NoError(b.t, err)
	require.Equal(b.t, value, got)
}

// whileLocked locks the entry in a transaction and calls the function write in another goroutine. While write waits for
// the lock, whileLocked calls the function act in the transaction. It returns the result of the function write.
func (b *boxed) whileLocked(act func(ctx context.Context, repos ports.Repos), write func() error) error {
	b.t.Helper()
	held, done := make(chan struct{}), make(chan error, 1)
	err := b.Store.Do(b.t.Context(), func(ctx context.Context, repos ports.Repos) error {
		access, err := repos.Callers.Access(ctx, b.owner.Credential, "box")
		require.NoError(b.t, err)
		_, err = repos.Entries.Lock(ctx, b.owner.Credential, access.Box, "entry", b.Clock.Now())
		require.NoError(b.t, err)
		go func() {
			close(held)
			done <- write()
		}()
		<-held
		b.AwaitLock()
		act(ctx, repos)
		return nil
	})
	require.NoError(b.t, err)
	return <-done
}

func TestPermissionRevokedDuringDerivation(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.AllPermissions)
	b.OnDerive = func() { b.permit(domain.ReadEntry) }
	_, err := b.write(b.member, `1`, "a passphrase")
	require.ErrorIs(t, err, domain.ErrPermissionMissing)
	require.Contains(t, b.Log(), "member entry.write denied entry -")

	b.OnDerive = nil
	_, err = b.write(b.owner, `1`, "a passphrase")
	require.NoError(t, err)
	b.OnDerive = func() { b.permit(domain.NoPermissions) }
	_, err = b.read(b.member, "a passphrase")
	require.ErrorIs(t, err, domain.ErrPermissionMissing)
}

func TestPermissionRevokedWhileAWriteWaits(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.AllPermissions)
	_, err := b.write(b.owner, `"old"`, usecases.GeneratedKey)
	require.NoError(t, err)
	err = b.whileLocked(func(ctx context.Context, repos ports.Repos) {
		access, err := repos.Callers.Access(ctx, b.member.Credential, "box")
		require.NoError(t, err)
		access.Member.Permissions = domain.ReadEntry
		require.NoError(t, repos.BoxUsers.Save(ctx, *access.Member))
	}, func() error {
		_, err := b.write(b.member, `"new"`, usecases.GeneratedKey)
		return err
	})
	require.ErrorIs(t, err, domain.ErrPermissionMissing)
	b.expect(`"old"`, usecases.GeneratedKey)
}

func TestEntryDeletedWhileAWriteWaits(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.AllPermissions)
	_, err := b.write(b.owner, `"old"`, usecases.GeneratedKey)
	require.NoError(t, err)
	err = b.whileLocked(func(ctx context.Context, repos ports.Repos) {
		access, err := repos.Callers.Access(ctx, b.owner.Credential, "box")
		require.NoError(t, err)
		require.NoError(t, repos.Entries.MarkDeleted(ctx,
			domain.Entry{Box: access.Box.ID, Key: "entry", UpdatedAt: b.Clock.Now()}))
	}, func() error {
		written, err := b.write(b.member, `"new"`, usecases.GeneratedKey)
		require.Equal(t, uint64(2), written.Version)
		return err
	})
	require.NoError(t, err, "the write starts over and counts the entry first")
	b.expect(`"new"`, usecases.GeneratedKey)
}

func TestConditionalWrites(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.AllPermissions)
	matches := func(version uint64) domain.Condition {
		return domain.Condition{OneOf: &domain.Versions{List: []uint64{version}}}
	}
	absent := domain.Condition{NoneOf: &domain.Versions{Any: true}}

	_, err := b.write(b.owner, `1`, usecases.GeneratedKey, matches(1))
	require.ErrorIs(t, err, domain.ErrPrecondition, "an entry that does not exist matches nothing")
	_, err = b.write(b.owner, `1`, usecases.GeneratedKey, absent)
	require.NoError(t, err)
	_, err = b.write(b.owner, `2`, usecases.GeneratedKey, absent)
	require.ErrorIs(t, err, domain.ErrPrecondition)
	_, err = b.write(b.owner, `2`, usecases.GeneratedKey, matches(1))
	require.NoError(t, err)
	_, err = b.write(b.owner, `3`, "a passphrase", matches(1))
	require.ErrorIs(t, err, domain.ErrPrecondition)
	require.Zero(t, b.Derivations.Load(), "no key is derived for a write that is refused")
	b.expect(`2`, usecases.GeneratedKey)

	// Here the condition holds when the write begins, but no longer when the write gets the lock.
	b.OnDerive = func() {
		b.OnDerive = nil
		_, err := b.write(b.owner, `"first"`, usecases.GeneratedKey)
		require.NoError(t, err)
	}
	_, err = b.write(b.member, `"second"`, "a passphrase", matches(2))
	require.ErrorIs(t, err, domain.ErrPrecondition)
	b.expect(`"first"`, usecases.GeneratedKey)
}

func TestKeyChangedIsReported(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	for i, step := range []struct {
		key     string
		changed bool
	}{{usecases.GeneratedKey, false}, {usecases.GeneratedKey, false}, {"a passphrase", true}, {"a passphrase", false}} {
		written, err := b.write(b.owner, `1`, step.key)
		require.NoError(t, err)
		require.Equal(t, vault.WrittenEntry{
			Box:        "box",
			Key:        "entry",
			Version:    uint64(i + 1),
			KeyChanged: step.changed,
		}, written)
	}
}

// TestAuthorisationPrecedesTheKey verifies that a caller without the permission gets an authorisation error even if the
// encryption key is missing or malformed.
func TestAuthorisationPrecedesTheKey(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions)
	_, damaged := domain.ParseEncryptionKey("lbk1_damaged")
	for _, key := range []domain.EncryptionKey{{}, domain.UnusableEncryptionKey(damaged)} {
		read, write := vault.ReadEntry{Box: "box", Key: "entry", EncryptionKey: key},
			vault.WriteEntry{
				Box:           "box",
				Key:           "entry",
				Value:         []byte(`1`),
				EncryptionKey: key,
			}
		_, err := b.Vault.ReadEntry(t.Context(), b.member, read)
		require.ErrorIs(t, err, domain.ErrPermissionMissing)
		_, err = b.Vault.WriteEntry(t.Context(), b.member, write)
		require.ErrorIs(t, err, domain.ErrPermissionMissing)
		_, err = b.Vault.ReadEntry(t.Context(), b.owner, read)
		require.ErrorIs(t, err, key.Check(), "the key precedes the missing entry")
		_, err = b.Vault.WriteEntry(t.Context(), b.owner, write)
		require.ErrorIs(t, err, key.Check())
	}
}

func TestEntryLimit(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions, func(c *vault.Config) { c.MaxEntriesPerBox, c.MaxValueBytes = 1, 8 })
	_, err := b.write(b.owner, `"too long"`, usecases.GeneratedKey)
	require.ErrorIs(t, err, domain.TooLarge)
	_, err = b.write(b.owner, `1`, usecases.GeneratedKey)
	require.NoError(t, err)
	_, err = b.write(b.owner, `2`, usecases.GeneratedKey)
	require.NoError(t, err, "a new version is no new entry")
	_, err = b.Vault.WriteEntry(t.Context(), b.owner, vault.WriteEntry{
		Box:           "box",
		Key:           "another",
		Value:         []byte(`1`),
		EncryptionKey: usecases.Key(t, usecases.GeneratedKey),
	})
	require.Equal(t, "limit_reached", domain.CodeOf(err))
}

// TestBytesLimitOfOldEntries covers an entry that was written before the server had a limit. The first write after the
// limit was set must count all stored versions of the entry.
func TestBytesLimitOfOldEntries(t *testing.T) {
	t.Parallel()
	b := newBox(t, domain.NoPermissions, func(c *vault.Config) { c.KeepVersions = 4 })
	for range 3 {
		_, err := b.write(b.owner, `"`+strings.Repeat("x", 1000)+`"`, usecases.GeneratedKey)
		require.NoError(t, err)
	}
	limited := func(limit int64) error {
		service := b.Service(func(c *vault.Config) { c.KeepVersions, c.MaxBytesPerBox = 4, limit })
		_, err := service.WriteEntry(t.Context(), b.owner, vault.WriteEntry{
			Box:           "box",
			Key:           "entry",
			Value:         []byte(`1`),
			EncryptionKey: usecases.Key(t, usecases.GeneratedKey),
		})
		return err
	}
	require.Equal(t, "limit_reached", domain.CodeOf(limited(5000)))
	require.NoError(t, limited(7000))
	require.Equal(t, 6144, pgtest.Number(t, b.URL, `SELECT reserved_bytes FROM boxes`))
}
