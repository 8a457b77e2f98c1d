package sealing

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// FORMAT of an entry, number 1. Integers are big endian. | concatenates bytes. Quoted texts stand for their ASCII bytes
// without a terminator. A number at the end of a name is the length in bytes.
//
//	header60  = format u8 = 1 | suite u8 = 1 | kdf u8 | m u32 (KiB) | t u32 | p u8 | boxsalt16 | salt32
//	ikm32     = kdf 0: the 32 bytes of a generated key; m, t, p and boxsalt16 are zeros then
//	            kdf 1: Argon2id version 0x13 (RFC 9106) of the passphrase's bytes with salt boxsalt16, memory m,
//	            passes t, lanes p, no secret and no associated data; 8p ≤ m, 1 ≤ t ≤ 16, 1 ≤ p ≤ 4, and m is at most
//	            the configured limit (256 MiB as shipped)
//	prk32     = HKDF-Extract-SHA256(salt = salt32, ikm32)                                      (RFC 5869)
//	kek32     = HKDF-Expand-SHA256(prk32, "lockbox/v1/kek", 32)
//	commit32  = HKDF-Expand-SHA256(prk32, "lockbox/v1/commit", 32)
//
//	part(x)   = length of x as u32 | x
//	ctx(v)    = part("lockbox/entry") | part(box id, 16 bytes) | part(entry key) | part(v as u64)
//	inner     = ctx(the version that the value was sealed as)
//	outer     = ctx(the version of the row): the same as inner unless an old version was restored as a new one
//
//	blob152   = header60 | commit32 | nonce12 | AES-256-GCM(kek32, nonce12, dek32, aad = inner | header60 | commit32)
//	envelope  = id16 | nonce24 | XChaCha20-Poly1305(server key id16, nonce24, blob152, aad = "outer" | id16 | outer)
//	value     = nonce12 | AES-256-GCM(dek32, nonce12, JSON text, aad = "value" | inner)
//
// AES-256-GCM and XChaCha20-Poly1305 stand for the ciphertext followed by its tag of 16 bytes. An envelope has 208
// bytes. A value has 28 bytes more than its JSON text. salt32, dek32 and all nonces are random and fresh for each
// version. Suite 1 is all of the above.
//
// Rationale: kek32 and dek32 each encrypt exactly one message, so GCM's short nonces cannot repeat under a key (NIST SP
// 800-38D, section 8). An attacker can construct a GCM ciphertext that opens under two keys (Dodis, Grubbs, Ristenpart,
// Woodage: "Fast Message Franking", CRYPTO 2018). For this reason, commit32 is compared before dek32 is decrypted. Each
// version has its own salt32. Two versions under the same client key therefore have different values of prk32, kek32
// and commit32.

const (
	formatOne = 1
	suiteOne  = 1

	kdfGenerated = 0
	kdfArgon2id  = 1

	// The next three constants limit stored parameters. Stored parameters are checked before any key derivation, so
	// manipulated data cannot exhaust memory or processor time.
	maxStoredTime    = 16
	maxStoredThreads = 4
	maxStoredKiB     = 256 << 10

	nonce12     = 12
	saltLen     = 32
	commitLen   = 32
	headerLen   = 3 + 4 + 4 + 1 + 16 + saltLen
	blobLen     = headerLen + commitLen + nonce12 + keyBytes + tagBytes
	idLen       = len(domain.ServerKeyID{})
	envelopeLen = idLen + nonce24 + blobLen + tagBytes
	minValueLen = nonce12 + tagBytes

	entryLabel  = "lockbox/entry"
	kekInfo     = "lockbox/v1/kek"
	commitInfo  = "lockbox/v1/commit"
	outerPrefix = "outer"
	valuePrefix = "value"
)

// derivation describes how a client's key becomes the input of HKDF. The zero derivation uses a generated key directly.
// Equal derivations produce equal bytes from the same key.
type derivation struct {
	kdf    uint8
	params ports.Argon2Params
	salt   domain.BoxSalt
}

// header precedes the wrapped data key. Only the outer layer encrypts the header.
type header struct {
	derivation
	salt32 [saltLen]byte
}

// blob is the content of the outer layer.
type blob struct {
	header
	commit [commitLen]byte
	// wrapped is nonce12 followed by the encrypted data key.
	wrapped [nonce12 + keyBytes + tagBytes]byte
}

func (h header) append(to []byte) []byte {
	to = append(to, formatOne, suiteOne, h.kdf)
	to = binary.BigEndian.AppendUint32(to, h.params.MemoryKiB)
	to = binary.BigEndian.AppendUint32(to, h.params.Time)
	to = append(to, h.params.Threads)
	to = append(to, h.salt[:]...)
	return append(to, h.salt32[:]...)
}

func (b *blob) append(to []byte) []byte {
	to = b.header.append(to)
	to = append(to, b.commit[:]...)
	return append(to, b.wrapped[:]...)
}

// parseBlob parses the bytes that append writes. The second result is false for all other bytes, and for parameters
// that exceed the limits.
func parseBlob(raw []byte, maxKiB uint32) (b blob, ok bool) {
	if len(raw) != blobLen || raw[0] != formatOne || raw[1] != suiteOne {
		return blob{}, false
	}
	b.kdf = raw[2]
	b.params.MemoryKiB = binary.BigEndian.Uint32(raw[3:7])
	b.params.Time = binary.BigEndian.Uint32(raw[7:11])
	b.params.Threads = raw[11]
	rest := raw[12:]
	rest = rest[copy(b.salt[:], rest):]
	rest = rest[copy(b.salt32[:], rest):]
	rest = rest[copy(b.commit[:], rest):]
	copy(b.wrapped[:], rest)
	if !b.wellFormed(maxKiB) {
		return blob{}, false
	}
	return b, true
}

// wellFormed reports whether format 1 allows the derivation and whether all parameters are within their limits.
func (d derivation) wellFormed(maxKiB uint32) bool {
	switch d.kdf {
	case kdfGenerated:
		return d == derivation{}
	case kdfArgon2id:
		p := d.params
		return p.Threads >= 1 && p.Threads <= maxStoredThreads && p.Time >= 1 && p.Time <= maxStoredTime &&
			p.MemoryKiB >= 8*uint32(p.Threads) && p.MemoryKiB <= maxKiB
	default:
		return false
	}
}

// entryContext returns the bytes that the format in this file calls ctx(version).
func entryContext(place ports.Place, version uint64) []byte {
	const lengths = 4 * 4
	ctx := make([]byte, 0, len(valuePrefix)+lengths+len(entryLabel)+len(place.Box)+len(place.Key)+8)
	ctx = appendPart(ctx, entryLabel)
	ctx = appendPart(ctx, place.Box[:])
	ctx = appendPart(ctx, place.Key)
	ctx = binary.BigEndian.AppendUint32(ctx, 8)
	return binary.BigEndian.AppendUint64(ctx, version)
}

// appendPart appends part(x) of the format. The length prefix keeps different lists of parts from having equal bytes.
func appendPart[T ~string | ~[]byte](to []byte, part T) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(len(part))) //nolint:gosec // parts are names and ids, far below 4 GiB
	return append(to, part...)
}

// outerContext, valueContext and blobContext return the associated data of the three layers.
func outerContext(id domain.ServerKeyID, place ports.Place) []byte {
	return bytes.Join([][]byte{[]byte(outerPrefix), id[:], entryContext(place, place.Version)}, nil)
}

func valueContext(place ports.Place) []byte {
	return append([]byte(valuePrefix), entryContext(place, place.SealedAs)...)
}

func blobContext(place ports.Place, b *blob) []byte {
	aad := append(make([]byte, 0, 512), entryContext(place, place.SealedAs)...)
	return append(b.header.append(aad), b.commit[:]...)
}

// expand returns the key-encrypting key and the commitment of one blob. The caller must clear kek after use.
func expand(ikm *[keyBytes]byte, salt32 *[saltLen]byte) (kek, commit []byte, err error) {
	prk, err := hkdf.Extract(sha256.New, ikm[:], salt32[:])
	if err != nil {
		return nil, nil, fmt.Errorf("extract: %w", err)
	}
	defer clear(prk)
	if kek, err = hkdf.Expand(sha256.New, prk, kekInfo, keyBytes); err != nil {
		return nil, nil, fmt.Errorf("expand the key: %w", err)
	}
	if commit, err = hkdf.Expand(sha256.New, prk, commitInfo, commitLen); err != nil {
		return nil, nil, fmt.Errorf("expand the commitment: %w", err)
	}
	return kek, commit, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("create the AES cipher: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("create the GCM mode: %w", err)
	}
	return gcm, nil
}

func newXChaCha(key *[keyBytes]byte) (cipher.AEAD, error) {
	aead, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		return nil, fmt.Errorf("create the XChaCha20-Poly1305 cipher: %w", err)
	}
	return aead, nil
}
