package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/sha256"
	"crypto/sha3"
	"encoding/base64"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/argon2"
)

// This file is a second implementation of the formats. Its sources are the package comment, RFC 9180 and the X-Wing
// draft. It uses neither the code of the package nor crypto/hpke. It computes the test vectors from fixed bytes in
// place of random bytes, so the vectors are reproducible.

func mac(key []byte, parts ...[]byte) []byte {
	hash := hmac.New(sha256.New, key)
	for _, each := range parts {
		hash.Write(each)
	}
	return hash.Sum(nil)
}

// apartExpand is HKDF-Expand for an output of at most one block, which has 32 bytes.
func apartExpand(prk, info []byte, size int) []byte { return mac(prk, info, []byte{1})[:size] }

func join(parts ...[]byte) (all []byte) {
	for _, each := range parts {
		all = append(all, each...)
	}
	return all
}

func apartPart(text []byte) []byte {
	return join(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text)
}

func gcm(t *testing.T, key, nonce, text, aad []byte) []byte {
	t.Helper()
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	mode, err := cipher.NewGCM(block)
	require.NoError(t, err)
	return mode.Seal(nil, nonce, text, aad)
}

func apartSeal(t *testing.T, salt, key []byte, label string, aad, text []byte) []byte {
	t.Helper()
	prk := mac(salt, key)
	commit := apartExpand(prk, []byte(label+"/commit"), 32)
	own := apartExpand(prk, []byte(label+"/key"), 32)
	return join(salt, commit,
		gcm(t, own, make([]byte, 12), text, join(apartPart([]byte(label)), salt, commit, aad)))
}

func form(prefix string, raw []byte) string {
	sum := sha256.Sum256(join([]byte(prefix), raw))
	return prefix + "_" + base64.RawURLEncoding.EncodeToString(raw) +
		base64.RawURLEncoding.EncodeToString(sum[:])[:6]
}

// apartIdentity holds the keys of an identity.
type apartIdentity struct {
	kem         *mlkem.DecapsulationKey768
	dh          *ecdh.PrivateKey
	sign        ed25519.PrivateKey
	public      []byte
	fingerprint [32]byte
}

func apartIdentityOf(t *testing.T, seed []byte) apartIdentity {
	t.Helper()
	wing := sha3.SumSHAKE256(apartExpand(seed, []byte("lockbox/v1/identity/hpke"), 32), 96)
	kem, err := mlkem.NewDecapsulationKey768(wing[:64])
	require.NoError(t, err)
	dh, err := ecdh.X25519().NewPrivateKey(wing[64:])
	require.NoError(t, err)
	id := apartIdentity{
		kem:  kem,
		dh:   dh,
		sign: ed25519.NewKeyFromSeed(apartExpand(seed, []byte("lockbox/v1/identity/sign"), 32)),
	}
	id.public = join([]byte{1}, kem.EncapsulationKey().Bytes(), dh.PublicKey().Bytes(),
		id.sign.Public().(ed25519.PublicKey))
	id.fingerprint = sha256.Sum256(join([]byte("lockbox/v1/fingerprint"), id.public))
	return id
}

// wrap is HPKE in base mode with X-Wing, HKDF-SHA256 and AES-256-GCM. An encapsulation normally uses 64 random bytes.
// Here, the argument random contains these bytes, so the result is always the same.
func (id apartIdentity) wrap(t *testing.T, random, info, text []byte) []byte {
	t.Helper()
	lattice, sent, err := mlkemtest.Encapsulate768(id.kem.EncapsulationKey(), random[:32])
	require.NoError(t, err)
	ephemeral, err := ecdh.X25519().NewPrivateKey(random[32:])
	require.NoError(t, err)
	curve, err := ephemeral.ECDH(id.dh.PublicKey())
	require.NoError(t, err)
	point := ephemeral.PublicKey().Bytes()
	shared := sha3.Sum256(join(lattice, curve, point, id.dh.PublicKey().Bytes(), []byte(`\.//^\`)))

	suite := []byte{'H', 'P', 'K', 'E', 0x64, 0x7a, 0, 1, 0, 2}
	extract := func(salt []byte, label string, ikm []byte) []byte {
		return mac(salt, []byte("HPKE-v1"), suite, []byte(label), ikm)
	}
	schedule := join([]byte{0}, extract(nil, "psk_id_hash", nil), extract(nil, "info_hash", info))
	prk := extract(shared[:], "secret", nil)
	labeled := func(label string, size byte) []byte {
		return apartExpand(prk, join([]byte{0, size}, []byte("HPKE-v1"), suite, []byte(label), schedule), int(size))
	}
	return join(sent, point, gcm(t, labeled("key", 32), labeled("base_nonce", 12), text, nil))
}

// fill computes the outputs of an identity's vector from its inputs.
func (v *identityVector) fill(t *testing.T) {
	t.Helper()
	id := apartIdentityOf(t, v.Seed)
	v.Identity, v.Public = form("lbid1", v.Seed), form("lbpk1", id.public)
	v.Fingerprint = id.fingerprint[:]
	key := argon2.IDKey([]byte(v.Passphrase), v.Salt16, 3, 65536, 1, 32)
	v.Locked = join([]byte{1}, v.Salt16, apartSeal(t, v.Salt32, key, "lockbox/v1/locked",
		join(apartPart(v.Installation), apartPart(v.User), apartPart(v.Fingerprint)), v.Seed))
}

// fill computes the outputs of a keyring's vector. The recipients in v must already be sorted by fingerprint.
func (v *keyringVector) fill(t *testing.T) {
	t.Helper()
	id := apartExpand(v.Key, []byte("lockbox/v1/key-id"), 16)
	v.BoxKey, v.KeyID = form("lbk1", v.Key), base64.RawURLEncoding.EncodeToString(id)
	place := join(apartPart(v.Installation), apartPart(v.Box), []byte{v.Mode})
	var lines []byte
	for i := range v.Recipients {
		r := &v.Recipients[i]
		to := apartIdentityOf(t, r.Seed)
		r.Fingerprint = to.fingerprint[:]
		r.Wrapped = to.wrap(t, r.Random, join(apartPart([]byte("lockbox/v1/wrap")), place, id, r.Fingerprint), v.Key)
		hash := sha256.Sum256(r.Wrapped)
		lines = join(lines, r.User, r.Fingerprint, hash[:])
	}
	author, digest := apartIdentityOf(t, v.Author), sha256.Sum256(lines)
	v.Head = join(apartPart([]byte("lockbox/v1/keyring")), place, binary.BigEndian.AppendUint64(nil, v.Sequence), id,
		author.fingerprint[:], digest[:])
	var earlier []byte
	for _, each := range v.Earlier {
		earlier = join(earlier, each)
	}
	v.Chain = apartSeal(t, v.Salt32, v.Key, "lockbox/v1/chain", v.Head, earlier)
	v.Signature = ed25519.Sign(author.sign, join(apartPart([]byte("lockbox/v1/keyring/signature")), v.Head, v.Chain))
	v.Anchor = form("lba1", join(v.Box, []byte{v.Mode}, id))
}
