package sealing

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// FuzzBlob passes arbitrary bytes to parseBlob. If parseBlob accepts them, the blob must be within the limits, and
// append must return the same bytes.
func FuzzBlob(f *testing.F) {
	generated := blob{header: header{salt32: [32]byte{1}}, commit: [32]byte{2}}
	slow := blob{header: header{derivation: derivation{kdf: kdfArgon2id, params: DefaultParams, salt: boxSalt}}}
	for _, each := range []blob{generated, slow} {
		f.Add(each.append(nil))
		f.Add(each.append(nil)[:blobLen-1])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		b, ok := parseBlob(raw, maxStoredKiB)
		if !ok {
			require.Zero(t, b)
			return
		}
		require.True(t, bytes.Equal(raw, b.append(nil)))
		require.LessOrEqual(t, b.params.MemoryKiB, uint32(maxStoredKiB))
		require.LessOrEqual(t, b.params.Time, uint32(maxStoredTime))
		require.LessOrEqual(t, b.params.Threads, uint8(maxStoredThreads))
	})
}

// FuzzBlobBothWays encodes a header and parses the result. If the header is allowed, parsing must return the same
// header. Otherwise, parsing must fail.
func FuzzBlobBothWays(f *testing.F) {
	f.Add(uint8(1), uint32(19456), uint32(2), uint8(1), []byte("salt"), []byte("more"))
	f.Add(uint8(0), uint32(0), uint32(0), uint8(0), []byte{}, []byte("more"))
	f.Fuzz(func(t *testing.T, kdf uint8, memory, times uint32, threads uint8, salt, rest []byte) {
		params := ports.Argon2Params{MemoryKiB: memory, Time: times, Threads: threads}
		b := blob{header: header{derivation: derivation{kdf: kdf, params: params}}}
		copy(b.salt[:], salt)
		copy(b.salt32[:], rest)
		copy(b.commit[:], rest)
		copy(b.wrapped[:], rest)
		raw := b.append(nil)
		require.Len(t, raw, blobLen)
		read, ok := parseBlob(raw, maxStoredKiB)
		require.Equal(t, b.wellFormed(maxStoredKiB), ok)
		if ok {
			require.Equal(t, b, read)
		}
	})
}

// FuzzOpen checks that Open returns an error, and does not panic, for all bytes that Seal did not return.
func FuzzOpen(f *testing.F) {
	r := newRig(f)
	key := generatedKey(f, 1)
	c := r.prepare(f, key)
	sealed, err := c.Seal(place, value)
	require.NoError(f, err)
	f.Add(sealed.Envelope, sealed.Value)
	f.Add(sealed.Envelope[:100], []byte{})
	f.Fuzz(func(t *testing.T, envelope, text []byte) {
		changed := ports.SealedValue{Envelope: envelope, Value: text}
		if len(envelope) >= idLen {
			changed.ServerKey = domain.ServerKeyID(envelope[:idLen])
		}
		opened, err := c.Open(place, changed)
		if bytes.Equal(envelope, sealed.Envelope) && bytes.Equal(text, sealed.Value) {
			require.NoError(t, err)
			require.Equal(t, value, opened)
			return
		}
		require.Error(t, err)
		require.Nil(t, opened)
	})
}

// FuzzContext checks that different places have different contexts, even if the concatenated parts of the places are
// equal.
func FuzzContext(f *testing.F) {
	f.Add([]byte("box"), "key", uint64(1), []byte("box"), "ke", uint64(1))
	f.Fuzz(func(t *testing.T, boxA []byte, keyA string, versionA uint64, boxB []byte, keyB string, versionB uint64) {
		var a, b ports.Place
		copy(a.Box[:], boxA)
		copy(b.Box[:], boxB)
		a.Key, b.Key = domain.EntryKey(keyA), domain.EntryKey(keyB)
		same := a == b && versionA == versionB
		require.Equal(t, same, bytes.Equal(entryContext(a, versionA), entryContext(b, versionB)))
	})
}
