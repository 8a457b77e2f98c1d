package sealing

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestMakeVectors writes the vectors if the flag -update is set. It is not parallel, so it completes before the
// parallel tests read the file.
func TestMakeVectors(t *testing.T) {
	if !*update {
		return
	}
	random := &stream{seed: "vectors"}
	take := func(n int) octets {
		taken := make([]byte, n)
		_, err := io.ReadFull(random, taken)
		require.NoError(t, err)
		return taken
	}
	generated := domain.FormatGeneratedKey([32]byte(take(32)))
	v := vectors{
		Comment:  "What wrap.go, format.go and account.go describe. Bytes are in hexadecimal, texts are UTF-8.",
		Wrapped:  []wrapVector{makeWrapped(t, "entry", take), makeWrapped(t, "account", take)},
		Accounts: []accountVector{makeAccount(t, take)},
	}
	for _, given := range []entryVector{
		{
			Name:          "a generated key",
			EncryptionKey: generated,
			EntryKey:      "app/database",
			SealedAs:      1,
			Version:       1,
		},
		{
			Name:          "a generated key, restored as a later version",
			EncryptionKey: generated,
			EntryKey:      "a",
			SealedAs:      3,
			Version:       258,
		},
		{
			Name:          "a passphrase",
			EncryptionKey: "correct horse battery staple",
			EntryKey:      "app/database",
			MemoryKiB:     19456,
			Time:          2,
			Threads:       1,
			SealedAs:      7,
			Version:       7,
		},
		{
			Name:          "a passphrase of other bytes, with other parameters",
			EncryptionKey: "b64:/wD+",
			EntryKey:      "team:x@y",
			MemoryKiB:     64,
			Time:          3,
			Threads:       4,
			SealedAs:      1,
			Version:       2,
		},
	} {
		v.Entries = append(v.Entries, makeEntry(t, given, take))
	}
	text, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(vectorFile, append(text, '\n'), 0o600))
}

func makeWrapped(t *testing.T, purpose string, take func(int) octets) wrapVector {
	t.Helper()
	v := wrapVector{
		Secret:  take(32),
		ID:      take(16),
		Purpose: purpose,
		Nonce:   take(24),
		Key:     take(32),
	}
	w, err := newWrapper(Secret{domain.NewSecret(string(v.Secret))})
	require.NoError(t, err)
	v.Wrapped, err = w.wrap(bytes.NewReader(v.Nonce), domain.ServerKeyID(v.ID), domain.KeyPurpose(purpose), v.Key)
	require.NoError(t, err)
	return v
}

func makeEntry(t *testing.T, v entryVector, take func(int) octets) entryVector {
	t.Helper()
	v.BoxSalt, v.Box, v.ServerKeyID, v.ServerKey = take(16), take(16), take(16), take(32)
	v.DEK, v.Salt32, v.BlobNonce, v.ValueNonce, v.OuterNonce = take(32), take(32), take(12), take(12), take(24)
	v.Text = `{"user":"app","password":"hunter2","note":"ü"}`
	_, c, sealed := v.seal(t)
	kek, commit, err := expand(c.find(*c.current), (*[saltLen]byte)(v.Salt32))
	require.NoError(t, err)
	v.IKM, v.KEK, v.Commit = bytes.Clone(c.derived[0].ikm[:]), kek, commit
	v.Envelope, v.Value = sealed.Envelope, sealed.Value
	return v
}

func makeAccount(t *testing.T, take func(int) octets) accountVector {
	t.Helper()
	v := accountVector{
		KeyID:   take(16),
		Key:     take(32),
		Purpose: "password",
		User:    take(16),
		Nonce:   take(24),
		Text:    "$argon2id$v=19$m=19456,t=2,p=1$…",
	}
	s := NewAccountSealer(ringWith(t, domain.KeyForAccounts, v.KeyID, v.Key), bytes.NewReader(v.Nonce))
	_, sealed, err := s.SealAccount(t.Context(), v.Purpose, domain.UserID(v.User), []byte(v.Text))
	require.NoError(t, err)
	v.Sealed = sealed
	return v
}
