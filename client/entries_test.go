package client_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

func TestEntryFromWriteToRestore(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, box := boxFor(t)
	const key, value = "db/main:password", `{"z":1,  "a":1.50,"html":"<&>"}`

	written, err := c.WriteEntry(ctx, box, key, json.RawMessage(value), &client.WriteOptions{IfNoneMatch: true})
	require.NoError(t, err)
	require.Equal(t, client.Written{Version: 1}, written)
	written, err = c.WriteEntry(ctx, box, key, map[string]string{"html": "<&>"}, &client.WriteOptions{IfMatch: 1})
	require.NoError(t, err)
	require.Equal(t, client.Written{Version: 2}, written)

	newest, err := c.ReadEntry(ctx, box, key, nil)
	require.NoError(t, err)
	require.Equal(t, `{"html":"<&>"}`, string(newest.Value))
	require.EqualValues(t, 2, newest.Version)
	require.WithinDuration(t, time.Now(), newest.ModifiedAt, time.Minute)
	require.NotContains(t, fmt.Sprintf("%v %+v %#v %s", newest, newest, *newest, newest), "html")

	first, err := c.ReadEntry(ctx, box, key, &client.ReadOptions{Version: 1})
	require.NoError(t, err)
	require.Equal(t, value, string(first.Value), "the value is returned byte for byte")
	require.EqualValues(t, 1, first.Version)

	for version, options := range map[uint64]*client.ReadOptions{2: {IfNoneMatch: 2}, 1: {IfNoneMatch: 1, Version: 1}} {
		_, err = c.ReadEntry(ctx, box, key, options)
		require.ErrorIs(t, err, client.ErrNotModified, version)
	}
	changed, err := c.ReadEntry(ctx, box, key, &client.ReadOptions{IfNoneMatch: 1})
	require.NoError(t, err)
	require.EqualValues(t, 2, changed.Version)

	keys, err := c.ListEntries(ctx, box, "db/")
	require.NoError(t, err)
	require.Equal(t, []string{key}, keys)
	keys, err = c.ListEntries(ctx, box, "x")
	require.NoError(t, err)
	require.Empty(t, keys)

	versions, err := c.ListVersions(ctx, box, key)
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, []any{uint64(2), "root", true, false},
		[]any{versions[0].Version, versions[0].Author, versions[0].Current, versions[1].Current})
	require.WithinDuration(t, time.Now(), versions[1].CreatedAt, time.Minute)

	require.NoError(t, c.DeleteEntry(ctx, box, key, &client.DeleteOptions{IfMatch: 2}))
	err = c.DeleteEntry(ctx, box, key, nil)
	require.ErrorIs(t, err, client.ErrNotFound)
	require.Equal(t, "entry_not_found", failure(t, err).Code)
	restored, err := c.RestoreEntry(ctx, box, key, 1, nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, restored.Version)
	_, err = c.RestoreEntry(ctx, box, key, 99, nil)
	require.Equal(t, "version_not_found", failure(t, err).Code)
	_, err = c.RestoreEntry(ctx, box, key, 1, &client.RestoreOptions{IfMatch: 1})
	require.ErrorIs(t, err, client.ErrPrecondition)
}

func TestEntryRefusals(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, box := boxFor(t)
	_, err := c.WriteEntry(ctx, box, "key", "value", nil)
	require.NoError(t, err)

	_, err = c.WriteEntry(ctx, box, "key", "value", &client.WriteOptions{IfNoneMatch: true})
	require.ErrorIs(t, err, client.ErrPrecondition)
	require.NotErrorIs(t, err, client.ErrOutcomeUnknown)
	_, err = c.WriteEntry(ctx, box, "no key!", "value", nil)
	require.ErrorIs(t, err, client.ErrInvalid)
	require.Equal(t, []any{400, "invalid_key", "key"},
		[]any{failure(t, err).Status, failure(t, err).Code, failure(t, err).Field})
	_, err = c.WriteEntry(ctx, box, "large", strings.Repeat("x", 600<<10), nil)
	require.ErrorIs(t, err, client.ErrTooLarge)
	_, err = c.WriteEntry(ctx, box, "larger", strings.Repeat("x", 2<<20), nil)
	require.ErrorIs(t, err, client.ErrTooLarge)

	_, err = c.ReadEntry(ctx, box, "other", nil)
	require.ErrorIs(t, err, client.ErrNotFound)
	_, err = c.ReadEntry(ctx, "no-such-box", "key", nil)
	require.ErrorIs(t, err, client.ErrNotFound)
	require.Equal(t, "box_not_found", failure(t, err).Code)

	_, err = c.WithToken(client.NewSecret("wrong")).ReadEntry(ctx, box, "key", nil)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	_, err = c.WithToken(client.Secret{}).ReadEntry(ctx, box, "key", nil)
	require.ErrorIs(t, err, client.ErrUnauthenticated)
	_, err = userFor(t, "entry-stranger").ReadEntry(ctx, box, "key", nil)
	require.ErrorIs(t, err, client.ErrNotFound)

	writer := userFor(t, "entry-writer")
	require.NoError(t, c.AddBoxUser(ctx, box, "entry-writer", ""))
	require.NoError(t, c.SetPermissions(ctx, box, "entry-writer", []client.Permission{client.PermissionCreateEntry}))
	_, err = writer.ReadEntry(ctx, box, "key", nil)
	require.ErrorIs(t, err, client.ErrForbidden)
	require.NotErrorIs(t, err, client.ErrEncryptionKeyMismatch)
	require.Equal(t, "permission_missing", failure(t, err).Code)
}

func TestEncryptionKeys(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	c, box := boxFor(t)
	other := client.GenerateEncryptionKey()
	_, err := c.WriteEntry(ctx, box, "key", 1, nil)
	require.NoError(t, err)
	_, err = c.ReadEntry(ctx, box, "key", &client.ReadOptions{EncryptionKey: other})
	require.ErrorIs(t, err, client.ErrEncryptionKeyMismatch)
	require.ErrorIs(t, err, client.ErrForbidden)
	_, err = c.WithEncryptionKey(client.EncryptionKey{}).ReadEntry(ctx, box, "key", nil)
	require.ErrorIs(t, err, client.ErrEncryptionKeyRequired)
	require.ErrorIs(t, err, client.ErrInvalid)
	require.Zero(t, failure(t, err).Status, "nothing is sent")

	written, err := c.WriteEntry(ctx, box, "key", 2, &client.WriteOptions{EncryptionKey: other})
	require.NoError(t, err)
	require.True(t, written.EncryptionKeyChanged)

	// Passphrases that a header cannot contain must arrive unchanged.
	for _, passphrase := range []string{"plain words", " spaces ", "ünïcödé", "line\nend", "b64:looks so",
		"lbk1_looks so", "\xff\x00"} {
		bytes, err := client.PassphraseKey([]byte(passphrase))
		require.NoError(t, err)
		_, err = c.WriteEntry(ctx, box, "key", passphrase != "", &client.WriteOptions{EncryptionKey: bytes})
		require.NoError(t, err, passphrase)
		again, err := client.ParseEncryptionKey(bytes.Reveal())
		require.NoError(t, err)
		_, err = c.ReadEntry(ctx, box, "key", &client.ReadOptions{EncryptionKey: again})
		require.NoError(t, err, passphrase)
	}
}

func TestRefusedValues(t *testing.T) {
	t.Parallel()
	c := connect(t, nil)
	for code, value := range map[string]any{
		"value_required":  nil,
		"invalid_value":   func() {},
		"value_redacted":  struct{ Password client.Secret }{client.NewSecret("s3cret")},
		"value_redacted ": struct{ Key client.EncryptionKey }{encryption},
		"invalid_value ":  json.RawMessage(`{"half":`),
		"value_required ": json.RawMessage(" null "),
		"invalid_value  ": json.RawMessage(nil),
	} {
		_, err := c.WriteEntry(t.Context(), "prod", "never", value, nil)
		require.ErrorIs(t, err, client.ErrInvalid)
		require.Equal(t, strings.TrimSpace(code), failure(t, err).Code)
		require.Zero(t, failure(t, err).Status)
	}
	for _, name := range []string{"", ".", ".."} {
		_, err := c.ReadEntry(t.Context(), name, "key", nil)
		require.Equal(t, "box_required", failure(t, err).Code)
		_, err = c.ReadEntry(t.Context(), "prod", name, nil)
		require.Equal(t, "key_required", failure(t, err).Code)
	}
}
