package usecases

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// KeyHolder is a user's identity with its secret keys, which only the user's client knows.
type KeyHolder struct {
	User   domain.UserID
	Public domain.PublicIdentity
	sign   ed25519.PrivateKey
	open   hpke.PrivateKey
}

// NewKeyHolder derives an identity for a user from a seed.
func NewKeyHolder(t testing.TB, user domain.UserID, seed [32]byte) KeyHolder {
	t.Helper()
	private, err := hpke.MLKEM768X25519().NewPrivateKey(expand(t, seed[:], "lockbox/v1/identity/hpke", 32))
	require.NoError(t, err)
	sign := ed25519.NewKeyFromSeed(expand(t, seed[:], "lockbox/v1/identity/sign", 32))
	raw := append([]byte{1}, private.PublicKey().Bytes()...)
	raw = append(raw, sign.Public().(ed25519.PublicKey)...)
	return KeyHolder{
		User:   user,
		Public: domain.RestorePublicIdentity(raw),
		sign:   sign,
		open:   private,
	}
}

// RandomKeyHolder makes an identity from a random seed.
func RandomKeyHolder(t testing.TB, user domain.UserID) KeyHolder {
	t.Helper()
	var seed [32]byte
	_, _ = rand.Read(seed[:])
	return NewKeyHolder(t, user, seed)
}

// Fingerprint returns the fingerprint of the identity.
func (k KeyHolder) Fingerprint() domain.Fingerprint { return k.Public.Fingerprint() }

// KeyringPlan describes a keyring that a client is to build. Mode 0 means server encryption.
type KeyringPlan struct {
	Installation domain.InstallationID
	Box          domain.BoxID
	Mode         uint8
	Sequence     uint64
	Key          [32]byte
	Earlier      [][32]byte
	Author       KeyHolder
	Recipients   []KeyHolder
}

// BuiltKeyring contains the parts of a keyring that a client sends to the server.
type BuiltKeyring struct {
	Head, Chain, Signature []byte
	Recipients             []domain.KeyRecipient
}

// KeyID returns the identifier of the plan's key.
func (p KeyringPlan) KeyID(t testing.TB) domain.KeyID {
	t.Helper()
	return Key(t, domain.FormatGeneratedKey(p.Key)).ID()
}

// Build builds the keyring. It does not use the code under test, except to encode the head.
func (p KeyringPlan) Build(t testing.TB) BuiltKeyring {
	t.Helper()
	var built BuiltKeyring
	key := p.KeyID(t)
	for _, holder := range p.Recipients {
		fingerprint := holder.Fingerprint()
		info := part([]byte("lockbox/v1/wrap"), p.Installation[:], p.Box[:])
		info = append(append(append(info, p.Mode), key[:]...), fingerprint[:]...)
		wrapped, err := hpke.Seal(holder.open.PublicKey(), hpke.HKDFSHA256(), hpke.AES256GCM(), info, p.Key[:])
		require.NoError(t, err)
		built.Recipients = append(built.Recipients,
			domain.KeyRecipient{User: holder.User, Fingerprint: fingerprint, Wrapped: wrapped})
	}
	slices.SortFunc(built.Recipients, func(a, b domain.KeyRecipient) int {
		return bytes.Compare(a.Fingerprint[:], b.Fingerprint[:])
	})
	var lines []byte
	for _, recipient := range built.Recipients {
		digest := sha256.Sum256(recipient.Wrapped)
		lines = slices.Concat(lines, recipient.User[:], recipient.Fingerprint[:], digest[:])
	}
	built.Head = domain.KeyringHead{
		Installation: p.Installation,
		Box:          p.Box,
		Mode:         p.Mode,
		Sequence:     p.Sequence,
		Key:          key,
		Author:       p.Author.Fingerprint(),
		Lines:        sha256.Sum256(lines),
	}.Bytes()
	built.Chain = p.seal(t, built.Head)
	built.Signature = ed25519.Sign(p.Author.sign,
		slices.Concat(part([]byte("lockbox/v1/keyring/signature")), built.Head, built.Chain))
	return built
}

// seal returns the chain.
func (p KeyringPlan) seal(t testing.TB, head []byte) []byte {
	t.Helper()
	salt := make([]byte, 32)
	_, _ = rand.Read(salt)
	commit, gcm := chainCipher(t, p.Key, salt)
	var text []byte
	for _, key := range p.Earlier {
		text = append(text, key[:]...)
	}
	aad := slices.Concat(part([]byte(chainLabel)), salt, commit, head)
	return gcm.Seal(slices.Concat(salt, commit), make([]byte, gcm.NonceSize()), text, aad)
}

// OpenChain returns the earlier keys in the chain of a keyring. ok is false if the key does not decrypt the chain.
// OpenChain skips the check of the commitment to the key. An attacker would skip it too.
func OpenChain(t testing.TB, key [32]byte, head, chain []byte) (earlier [][32]byte, ok bool) {
	t.Helper()
	require.Greater(t, len(chain), 64)
	salt, commit, sealed := chain[:32], chain[32:64], chain[64:]
	_, gcm := chainCipher(t, key, salt)
	aad := slices.Concat(part([]byte(chainLabel)), salt, commit, head)
	text, err := gcm.Open(nil, make([]byte, gcm.NonceSize()), sealed, aad)
	if err != nil {
		return nil, false
	}
	for each := range slices.Chunk(text, 32) {
		earlier = append(earlier, [32]byte(each))
	}
	return earlier, true
}

const chainLabel = "lockbox/v1/chain"

// chainCipher derives the commitment and the cipher of a chain from the box key and the chain's salt.
func chainCipher(t testing.TB, key [32]byte, salt []byte) (commit []byte, gcm cipher.AEAD) {
	t.Helper()
	prk, err := hkdf.Extract(sha256.New, key[:], salt)
	require.NoError(t, err)
	block, err := aes.NewCipher(expand(t, prk, chainLabel+"/key", 32))
	require.NoError(t, err)
	gcm, err = cipher.NewGCM(block)
	require.NoError(t, err)
	return expand(t, prk, chainLabel+"/commit", 32), gcm
}

func expand(t testing.TB, key []byte, info string, size int) []byte {
	t.Helper()
	out, err := hkdf.Expand(sha256.New, key, info, size)
	require.NoError(t, err)
	return out
}

// part concatenates its arguments. Before each argument, it adds the length of this argument, in four bytes.
func part(all ...[]byte) (out []byte) {
	for _, each := range all {
		out = binary.BigEndian.AppendUint32(out, uint32(len(each)))
		out = append(out, each...)
	}
	return out
}

// Unwrap decrypts a wrapped box key, as the recipient's client does.
func (k KeyHolder) Unwrap(t testing.TB, head domain.KeyringHead, wrapped []byte) [32]byte {
	t.Helper()
	fingerprint := k.Fingerprint()
	info := part([]byte("lockbox/v1/wrap"), head.Installation[:], head.Box[:])
	info = append(append(append(info, head.Mode), head.Key[:]...), fingerprint[:]...)
	key, err := hpke.Open(k.open, hpke.HKDFSHA256(), hpke.AES256GCM(), info, wrapped)
	require.NoError(t, err)
	return [32]byte(key)
}
