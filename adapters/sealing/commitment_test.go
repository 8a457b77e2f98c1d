package sealing

import (
	"crypto/aes"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TestOneCiphertextForTwoKeys builds a complete row that AES-GCM opens under two client keys. It checks that the
// commitment allows only one of the keys. Without the commitment, a stored row could return different values for two
// passphrases. One query to an oracle could then test many passphrases at once (a partitioning oracle attack).
func TestOneCiphertextForTwoKeys(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][2]domain.EncryptionKey{
		"generated":   {generatedKey(t, 1), generatedKey(t, 2)},
		"passphrases": {passphrase(t, "first"), passphrase(t, "second")},
	} {
		for right := range 2 {
			r := newRig(t)
			b := blob{header: header{derivation: *r.prepare(t, keys[0]).current, salt32: [32]byte{1, 2, 3}}}
			var keks [2][]byte
			for i, key := range keys {
				c := r.prepare(t, key)
				kek, commit, err := expand(c.find(*c.current), &b.salt32)
				require.NoError(t, err)
				keks[i] = kek
				if i == right {
					copy(b.commit[:], commit)
				}
			}
			nonce := [nonce12]byte{4, 5, 6}
			copy(b.wrapped[:], nonce[:])
			copy(b.wrapped[nonce12:], forge(t, keks, nonce, blobContext(place, &b)))

			// Without the commitment, AES-GCM opens the blob under both keys. This gives two data keys, and both open
			// the value.
			deks := openBoth(t, keks, b.wrapped[:], blobContext(place, &b))
			require.NotEqual(t, deks[0], deks[1])
			text := append(nonce[:], forge(t, deks, nonce, valueContext(place))...)
			values := openBoth(t, deks, text, valueContext(place))
			require.NotEqual(t, values[0], values[1])

			id, envelope, err := r.sealer.sealOuter(place, make([]byte, nonce24), b.append(nil))
			require.NoError(t, err)
			at := ports.Sealed{Place: place, Envelope: envelope}
			for i, key := range keys {
				c := r.prepare(t, key, at)
				opened, err := c.Open(place, ports.SealedValue{ServerKey: id, Envelope: envelope, Value: text})
				require.Equal(t, i == right, c.Fits(at), name)
				if i == right {
					require.NoError(t, err, name)
					require.Equal(t, values[i], opened)
				} else {
					require.Equal(t, domain.ErrKeyMismatch, err, name)
				}
			}
		}
	}
}

func openBoth(t *testing.T, keys [2][]byte, sealed, aad []byte) (opened [2][]byte) {
	t.Helper()
	for i, key := range keys {
		text, err := openGCM(key, sealed, aad)
		require.NoError(t, err, "it is valid under key %d", i)
		opened[i] = text
	}
	return opened
}

// forge returns two ciphertext blocks and a tag that are valid under both keys. The tag is
//
//	GHASH(H, aad, C1, C2, lengths) + AES(key, nonce|1)
//
// GHASH multiplies C2 by H², so the tag is a linear function of C2. The tags under both keys are equal if
// C2 = (difference of the rest) / (H₁² + H₂²).
func forge(t *testing.T, keys [2][]byte, nonce [nonce12]byte, aad []byte) []byte {
	t.Helper()
	c1 := [16]byte{0xc1}
	var rest, squares [2]element
	for i, key := range keys {
		block, err := aes.NewCipher(key)
		require.NoError(t, err)
		var h, mask [16]byte
		block.Encrypt(h[:], h[:])
		block.Encrypt(mask[:], append(nonce[:], 0, 0, 0, 1))
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
