//go:build e2e

package keys

import (
	"crypto/aes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// twoKeyLocked: the server presents a locked identity whose AES-GCM ciphertext is valid under two passphrases. The
// client must not open it under either passphrase. Otherwise the server could test two guesses of a passphrase with one
// attempt of the client.
func twoKeyLocked(t *testing.T, s *scene) {
	owner := Owner{s.installation, s.users["bob"].id, s.bob.id.Fingerprint()}
	salt, sealSalt := make([]byte, lockedSaltLen), make([]byte, saltLen)
	var ciphers [2][]byte
	var commits [2][]byte
	for i, passphrase := range []string{"first", "second"} {
		key := lockedKey(client.NewSecret(passphrase), salt)
		prk := mac(sealSalt, key)
		ciphers[i] = apartExpand(prk, []byte(lockedLabel+"/key"), keyLen)
		commits[i] = apartExpand(prk, []byte(lockedLabel+"/commit"), commitLen)
	}
	for i := range ciphers {
		aad := sealContext(lockedLabel, sealSalt, commits[i], owner.context())
		text := forge(t, ciphers, aad)
		for _, key := range ciphers {
			require.NotNil(t, openGCM(t, key, text, aad), "it is valid under both keys")
		}
		locked := slices.Concat([]byte{lockedVersion}, salt, sealSalt, commits[i], text)
		s.change(func() {
			s.users["bob"].locked = &client.LockedIdentity{Locked: locked, Fingerprint: owner.Fingerprint.String()}
		})
		s.unlockFails(t, s.bob, "first")
		s.unlockFails(t, s.bob, "second")
	}
}

func openGCM(t *testing.T, key, sealed, aad []byte) []byte {
	t.Helper()
	// Sealing the decrypted text again must return the same bytes. CTR mode decrypts by encrypting.
	text := gcm(t, key, make([]byte, 12), sealed[:len(sealed)-tagLen], aad)[:len(sealed)-tagLen]
	require.Equal(t, sealed, gcm(t, key, make([]byte, 12), text, aad))
	return text
}

// forge returns a ciphertext of two blocks with its tag. The ciphertext is valid under both keys, with the nonce zero.
// The tag is
//
//	GHASH(H, aad, C1, C2, lengths) + AES(key, nonce|1).
//
// GHASH multiplies C2 by H², so the tag is linear in C2. The tags under both keys are equal if
//
//	C2 = (tag under the first key for C2 = 0 + tag under the second key for C2 = 0) / (H₁² + H₂²).
func forge(t *testing.T, keys [2][]byte, aad []byte) []byte {
	t.Helper()
	c1 := [16]byte{0xc1}
	var rest, squares [2]element
	for i, key := range keys {
		block, err := aes.NewCipher(key)
		require.NoError(t, err)
		var h, mask [16]byte
		block.Encrypt(h[:], h[:])
		block.Encrypt(mask[:], append(make([]byte, 12), 0, 0, 0, 1))
		hash := elementOf(h[:])
		rest[i] = ghash(hash, aad, append(c1[:], make([]byte, 16)...)).plus(elementOf(mask[:]))
		squares[i] = hash.times(hash)
	}
	c2 := rest[0].plus(rest[1]).times(squares[0].plus(squares[1]).inverse())
	tag := rest[0].plus(c2.times(squares[0]))
	require.Equal(t, tag, rest[1].plus(c2.times(squares[1])))
	return append(append(c1[:], c2.bytes()...), tag.bytes()...)
}

// element is an element of GF(2^128) in GCM's bit order: the first bit is the lowest power (NIST SP 800-38D, section
// 6.3).
type element struct{ high, low uint64 }

func elementOf(block []byte) element {
	return element{binary.BigEndian.Uint64(block[:8]), binary.BigEndian.Uint64(block[8:16])}
}

func (e element) bytes() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, e.high), e.low)
}

func (e element) plus(other element) element { return element{e.high ^ other.high, e.low ^ other.low} }

func (e element) times(other element) (product element) {
	for i := range 128 {
		bit := other.high >> (63 - i%64)
		if i >= 64 {
			bit = other.low >> (63 - i%64)
		}
		if bit&1 == 1 {
			product = product.plus(e)
		}
		carry := e.low & 1
		e.low = e.low>>1 | e.high<<63
		e.high >>= 1
		if carry == 1 {
			e.high ^= 0xe1 << 56
		}
	}
	return product
}

// inverse returns e^(2^128 - 2).
func (e element) inverse() element {
	product := element{high: 1 << 63} // one
	for range 127 {
		e = e.times(e)
		product = product.times(e)
	}
	return product
}

func ghash(h element, aad, ciphertext []byte) (sum element) {
	for _, part := range [][]byte{aad, ciphertext} {
		for len(part) > 0 {
			var block [16]byte
			part = part[copy(block[:], part):]
			sum = sum.plus(elementOf(block[:])).times(h)
		}
	}
	lengths := element{uint64(len(aad)) * 8, uint64(len(ciphertext)) * 8}
	return sum.plus(lengths).times(h)
}
