package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"slices"
)

const (
	saltLen   = 32
	commitLen = 32
	tagLen    = 16
	keyLen    = 32
	// sealOverhead is the number of bytes that seal adds to a text.
	sealOverhead = saltLen + commitLen + tagLen
)

// seal encrypts text in the format that the package comment specifies under "seal".
func seal(key []byte, label string, aad, text []byte) []byte {
	var salt [saltLen]byte
	_, _ = rand.Read(salt[:]) // crypto/rand.Read never returns an error
	return sealWith(salt, key, label, aad, text)
}

// sealWith does the work of seal with a given salt. The caller must use a new random salt for each text.
func sealWith(salt [saltLen]byte, key []byte, label string, aad, text []byte) []byte {
	aead, commit := sealKeys(key, salt[:], label)
	sealed := make([]byte, 0, sealOverhead+len(text))
	sealed = append(append(sealed, salt[:]...), commit...)
	return aead.Seal(sealed, make([]byte, aead.NonceSize()), text, //nolint:gosec // each key encrypts one text
		sealContext(label, salt[:], commit, aad))
}

// open decrypts a result of seal. It first compares the commitment, in constant time. With AES-GCM alone, an attacker
// could make a ciphertext that opens under two keys. The commitment prevents this. If the ciphertext in the argument
// sealed cannot be opened, ok is false, whatever the reason.
func open(key []byte, label string, aad, sealed []byte) (text []byte, ok bool) {
	if len(sealed) < sealOverhead {
		return nil, false
	}
	salt, commit := sealed[:saltLen], sealed[saltLen:saltLen+commitLen]
	aead, want := sealKeys(key, salt, label)
	if subtle.ConstantTimeCompare(want, commit) != 1 {
		return nil, false
	}
	text, err := aead.Open(nil, make([]byte, aead.NonceSize()), sealed[saltLen+commitLen:],
		sealContext(label, salt, commit, aad))
	return text, err == nil
}

// sealKeys derives the cipher and the commitment of one sealed text. The key of the cipher encrypts one text only, so
// its nonce can be constant.
func sealKeys(key, salt []byte, label string) (cipher.AEAD, []byte) {
	prk, err := hkdf.Extract(sha256.New, key, salt)
	must(err)
	defer clear(prk)
	own := expand(prk, label+"/key", keyLen)
	defer clear(own)
	block, err := aes.NewCipher(own)
	must(err)
	aead, err := cipher.NewGCM(block)
	must(err)
	return aead, expand(prk, label+"/commit", commitLen)
}

func sealContext(label string, salt, commit, aad []byte) []byte {
	return slices.Concat(part([]byte(label)), salt, commit, aad)
}

// expand is HKDF-Expand. It cannot fail, because all callers pass constant lengths within the limit of HKDF.
func expand(prk []byte, info string, size int) []byte {
	out, err := hkdf.Expand(sha256.New, prk, info, size)
	must(err)
	return out
}

// part returns the length of x followed by x. The length keeps the boundaries of concatenated parts unambiguous.
func part(x []byte) []byte {
	out := make([]byte, 0, 4+len(x))
	out = binary.BigEndian.AppendUint32(out, uint32(len(x))) //nolint:gosec // labels, ids and fingerprints: under 4 GiB
	return append(out, x...)
}

// must panics on an error. No error can occur here, because all calls use arguments of a fixed size.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
