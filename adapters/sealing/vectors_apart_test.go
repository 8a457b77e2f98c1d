package sealing

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"
)

// This file computes the vectors a second time. It follows the comments that specify the formats and uses none of the
// code that implements the formats. If the code and its specification differ, the test fails.

func hmacSHA256(key []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// expand32 is HKDF-Expand (RFC 5869) for one block of 32 bytes.
func expand32(prk []byte, info string) []byte { return hmacSHA256(prk, []byte(info), []byte{1}) }

func join(parts ...[]byte) (all []byte) {
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func part(text []byte) []byte { return join(u32(uint32(len(text))), text) }

func gcm(t *testing.T, key, nonce, text, aad []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	mode, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return mode.Seal(nil, nonce, text, aad)
}

func xchacha(t *testing.T, key, nonce, text, aad []byte) []byte {
	t.Helper()
	aead, err := chacha20poly1305.NewX(key)
	require.NoError(t, err)
	return aead.Seal(nil, nonce, text, aad)
}

func TestEntryVectorsFromTheComment(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Entries {
		var kdf byte
		var ikm []byte
		salt := []byte(v.BoxSalt)
		if body, ok := strings.CutPrefix(v.EncryptionKey, "lbk1_"); ok {
			raw, err := base64.RawURLEncoding.DecodeString(body[:43])
			require.NoError(t, err)
			ikm, salt = raw, make([]byte, 16)
			require.Zero(t, v.MemoryKiB+v.Time+uint32(v.Threads))
		} else {
			text := []byte(v.EncryptionKey)
			if coded, ok := strings.CutPrefix(v.EncryptionKey, "b64:"); ok {
				raw, err := base64.StdEncoding.DecodeString(coded)
				require.NoError(t, err)
				text = raw
			}
			kdf = 1
			ikm = argon2.IDKey(text, salt, v.Time, v.MemoryKiB, v.Threads, 32)
		}
		prk := hmacSHA256(v.Salt32, ikm)
		kek, commit := expand32(prk, "lockbox/v1/kek"), expand32(prk, "lockbox/v1/commit")
		require.Equal(t, []byte(v.IKM), ikm, v.Name)
		require.Equal(t, []byte(v.KEK), kek, v.Name)
		require.Equal(t, []byte(v.Commit), commit, v.Name)

		header := join([]byte{1, 1, kdf}, u32(v.MemoryKiB), u32(v.Time), []byte{v.Threads}, salt, v.Salt32)
		ctx := func(version uint64) []byte {
			return join(part([]byte("lockbox/entry")), part(v.Box), part([]byte(v.EntryKey)), part(u64(version)))
		}
		inner, outer := ctx(v.SealedAs), ctx(v.Version)
		blob := join(header, commit, v.BlobNonce, gcm(t, kek, v.BlobNonce, v.DEK, join(inner, header, commit)))
		require.Len(t, header, 60)
		require.Len(t, blob, 152)
		envelope := join(v.ServerKeyID, v.OuterNonce,
			xchacha(t, v.ServerKey, v.OuterNonce, blob, join([]byte("outer"), v.ServerKeyID, outer)))
		require.Equal(t, []byte(v.Envelope), envelope, v.Name)
		value := join(v.ValueNonce, gcm(t, v.DEK, v.ValueNonce, []byte(v.Text), join([]byte("value"), inner)))
		require.Equal(t, []byte(v.Value), value, v.Name)
	}
}

func TestOtherVectorsFromTheComments(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	for _, v := range all.Wrapped {
		key := expand32(hmacSHA256(make([]byte, 32), v.Secret), "lockbox/v1/wrap")
		wrapped := join(v.Nonce, xchacha(t, key, v.Nonce, v.Key, join(v.ID, []byte(v.Purpose))))
		require.Equal(t, []byte(v.Wrapped), wrapped)
	}
	for _, v := range all.Accounts {
		aad := join(part([]byte("lockbox/account")), part([]byte(v.Purpose)), part(v.User))
		sealed := join(v.KeyID, v.Nonce, xchacha(t, v.Key, v.Nonce, []byte(v.Text), aad))
		require.Equal(t, []byte(v.Sealed), sealed)
	}
}
