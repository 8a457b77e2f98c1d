package client_test

import (
	"context"
	"errors"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

var _ client.BoxKeys = (*ring)(nil)

// ring is a keyring in memory. Each call of CurrentKey returns the next key from the list in the field current. After
// the last key, each call returns the last key again.
type ring struct {
	current []client.EncryptionKey
	byID    map[string]client.EncryptionKey
	fails   error
	calls   int
}

func (r *ring) CurrentKey(context.Context, *client.Client, string) (client.EncryptionKey, error) {
	r.calls++
	if r.fails != nil || len(r.current) == 0 {
		return client.EncryptionKey{}, r.fails
	}
	return r.current[min(r.calls, len(r.current))-1], nil
}

func (r *ring) KeyByID(_ context.Context, _ *client.Client, _, id string) (client.EncryptionKey, error) {
	key, ok := r.byID[id]
	if !ok {
		return key, client.NewKeyError(client.ErrKeyNotForThisBox, "no such key", nil)
	}
	return key, nil
}

// keysOf starts a fake server. For each request, the server calls the next of the given functions. After the end of the
// list, it calls the last function again. The returned list collects the encryption keys that the requests contain.
func keysOf(t *testing.T, answers ...func(http.ResponseWriter)) (change func(*client.Config), keys *[]string) {
	t.Helper()
	keys = new([]string)
	url, _ := broken(t, func(attempt int, w http.ResponseWriter, r *http.Request) {
		*keys = append(*keys, r.Header.Get("X-Encryption-Key"))
		answers[min(attempt, len(answers))-1](w)
	})
	return at(url), keys
}

func mismatch(id string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		if id != "" {
			w.Header().Set("X-Encryption-Key-Id", id)
		}
		fail(w, http.StatusForbidden, "encryption_key_mismatch")
	}
}

func value(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("ETag", `"1"`)
	w.Header().Set("X-Encryption-Key-Id", "id")
	_, _ = w.Write([]byte("1"))
}

func created(w http.ResponseWriter) {
	w.Header().Set("ETag", `"1"`)
	w.WriteHeader(http.StatusCreated)
}

func stale(w http.ResponseWriter) { fail(w, http.StatusConflict, "key_not_current") }

// TestReadPicksTheKeyOfTheVersion checks that after a key mismatch, the client repeats a read once, with the key under
// which the version is encrypted.
func TestReadPicksTheKeyOfTheVersion(t *testing.T) {
	t.Parallel()
	now, old, first := client.GenerateEncryptionKey(), client.GenerateEncryptionKey(), client.GenerateEncryptionKey()
	for _, c := range []struct {
		id   string
		keys []string
		err  error
	}{
		{"old", []string{now.Reveal(), old.Reveal()}, nil},
		{"", []string{now.Reveal(), first.Reveal()}, nil},
		{"foreign", []string{now.Reveal()}, client.ErrKeyNotForThisBox},
		{"none", []string{now.Reveal()}, client.ErrEncryptionKeyMismatch},
	} {
		to, keys := keysOf(t, mismatch(c.id), value)
		keyring := &ring{
			current: []client.EncryptionKey{now},
			byID:    map[string]client.EncryptionKey{"old": old, "": first, "none": {}},
		}
		entry, err := connect(t, to).WithIdentity(keyring).ReadEntry(t.Context(), "box", "key", nil)
		require.ErrorIs(t, err, c.err)
		require.Equal(t, c.keys, *keys, c.id)
		if err == nil {
			require.Equal(t, "id", entry.KeyID)
		}
	}
	// After a second mismatch, the read fails.
	to, keys := keysOf(t, mismatch("old"))
	keyring := &ring{
		current: []client.EncryptionKey{now},
		byID:    map[string]client.EncryptionKey{"old": old},
	}
	_, err := connect(t, to).WithIdentity(keyring).ReadEntry(t.Context(), "box", "key", nil)
	require.ErrorIs(t, err, client.ErrEncryptionKeyMismatch)
	require.Equal(t, "old", failure(t, err).KeyID)
	require.Len(t, *keys, 2)
}

// TestWriteFollowsTheKey checks that the client sends a write again with the new key if the key has changed. The client
// must not send a write more than three times.
func TestWriteFollowsTheKey(t *testing.T) {
	t.Parallel()
	one, two := client.GenerateEncryptionKey(), client.GenerateEncryptionKey()
	to, keys := keysOf(t, stale, created)
	keyring := &ring{current: []client.EncryptionKey{one, two}}
	c := connect(t, to).WithIdentity(keyring)
	_, err := c.WriteEntry(t.Context(), "box", "key", 1, nil)
	require.NoError(t, err)
	require.Equal(t, []string{one.Reveal(), two.Reveal()}, *keys)

	to, keys = keysOf(t, stale)
	_, err = connect(t, to).WithIdentity(keyring).WriteEntry(t.Context(), "box", "key", 1, nil)
	require.ErrorIs(t, err, client.ErrKeyNotCurrent)
	require.ErrorIs(t, err, client.ErrConflict)
	require.Len(t, *keys, 3)

	to, keys = keysOf(t, stale)
	_, err = connect(t, to).WithIdentity(keyring).WriteEntry(t.Context(), "box", "key", 1,
		&client.WriteOptions{EncryptionKey: one})
	require.ErrorIs(t, err, client.ErrKeyNotCurrent)
	require.Len(t, *keys, 1, "an explicit key is sent once")
}

// TestWhichKeyIsSent checks the order of precedence: the key of the call, then the key of the keyring, then the key of
// the Client.
func TestWhichKeyIsSent(t *testing.T) {
	t.Parallel()
	own, current := client.GenerateEncryptionKey(), client.GenerateEncryptionKey()
	failed := errors.New("failed")
	var none client.EncryptionKey
	with := &ring{current: []client.EncryptionKey{current}}
	refuses := &ring{fails: client.NewKeyError(client.ErrKeyringMissing, "missing", nil)}
	for name, c := range map[string]struct {
		keyring client.BoxKeys
		call    client.EncryptionKey
		sent    []string
		err     error
	}{
		"no identity":           {nil, none, []string{encryption.Reveal()}, nil},
		"a box with a keyring":  {with, none, []string{current.Reveal()}, nil},
		"a box without one":     {&ring{}, none, []string{encryption.Reveal()}, nil},
		"the key of the call":   {&ring{fails: failed}, own, []string{own.Reveal()}, nil},
		"a keyring that failed": {&ring{fails: failed}, none, nil, failed},
		"a refused keyring":     {refuses, none, nil, client.ErrKeyringMissing},
	} {
		to, keys := keysOf(t, value)
		server := connect(t, to)
		if c.keyring != nil {
			server = server.WithIdentity(c.keyring)
		}
		_, err := server.ReadEntry(t.Context(), "box", "key", &client.ReadOptions{EncryptionKey: c.call})
		require.ErrorIs(t, err, c.err, name)
		assert.Equal(t, append([]string(nil), c.sent...), *keys, name)
	}
}

func TestMalformedKeyrings(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"head":"AA==","chain":"","signature":""}`,
		`{"head":"AB","chain":"","signature":""}`,
		`{"head":"A\nA","chain":"","signature":""}`,
		`{"head":1}`,
		`not JSON`,
	} {
		to, _ := keysOf(t, func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(body))
		})
		_, err := connect(t, to).ReadKeyring(t.Context(), "box", nil)
		require.ErrorIs(t, err, client.ErrBadResponse, body)
	}
}
