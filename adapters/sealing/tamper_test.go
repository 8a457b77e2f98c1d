package sealing

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// sealedRow is a stored row with every field that an attacker could change.
type sealedRow struct {
	key    domain.EncryptionKey
	sealed ports.SealedValue
}

func (s sealedRow) with(envelope, value []byte) ports.SealedValue {
	changed := s.sealed
	changed.Envelope, changed.Value = envelope, value
	if len(envelope) >= idLen {
		changed.ServerKey = domain.ServerKeyID(envelope[:idLen])
	}
	return changed
}

func sealRow(t *testing.T, r *rig, key domain.EncryptionKey) sealedRow {
	t.Helper()
	sealed, err := r.prepare(t, key).Seal(place, value)
	require.NoError(t, err)
	return sealedRow{key, sealed}
}

// refusesAll fails the test if a changed row can be opened. Prepare can refuse the changed envelope. In this case,
// refusesAll also tests Open, with a cipher that was prepared without that envelope.
func refusesAll(t *testing.T, r *rig, key domain.EncryptionKey, at ports.Place, changed ports.SealedValue,
	what string) {
	t.Helper()
	r.clock.advance(reloadInterval) // allow a lookup of an unknown server key
	prepared, err := r.sealer.Prepare(t.Context(), key, boxSalt, ports.Sealed{Place: at, Envelope: changed.Envelope})
	if err != nil {
		require.True(t, ports.IsTampered(err), what)
		prepared = r.prepare(t, key)
	}
	opened, err := prepared.Open(at, changed)
	require.Error(t, err, what)
	require.Nil(t, opened, what)
}

func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	for name, key := range bothKinds(t) {
		r := newRig(t)
		row := sealRow(t, r, key)
		for i := range row.sealed.Envelope {
			for _, bit := range []byte{1, 0x80} {
				envelope := bytes.Clone(row.sealed.Envelope)
				envelope[i] ^= bit
				changed := row.with(envelope, row.sealed.Value)
				refusesAll(t, r, key, place, changed, name)
				_, err := r.sealer.PrepareOpen(t.Context(), key, ports.Sealed{Place: place, Envelope: envelope})
				if i >= idLen { // lookups of unknown ids are limited to one per second
					require.True(t, ports.IsTampered(err), "%s: byte %d of the envelope", name, i)
				}
			}
		}
		for i := range row.sealed.Value {
			text := bytes.Clone(row.sealed.Value)
			text[i] ^= 1
			_, err := r.prepare(t, key).Open(place, row.with(row.sealed.Envelope, text))
			require.True(t, ports.IsTampered(err), "%s: byte %d of the value", name, i)
		}
		other := row.sealed
		other.ServerKey[0] ^= 1
		_, err := r.prepare(t, key).Open(place, other)
		require.True(t, ports.IsTampered(err), "the server key id of the row differs from the one in the envelope")
		_, err = r.prepare(t, key).Open(place, row.sealed)
		require.NoError(t, err)
	}
}

func TestEveryLengthCounts(t *testing.T) {
	t.Parallel()
	for name, key := range bothKinds(t) {
		r := newRig(t)
		row := sealRow(t, r, key)
		for n := range len(row.sealed.Envelope) {
			refusesAll(t, r, key, place, row.with(row.sealed.Envelope[:n], row.sealed.Value), name)
		}
		for n := range len(row.sealed.Value) {
			refusesAll(t, r, key, place, row.with(row.sealed.Envelope, row.sealed.Value[:n]), name)
		}
		for i := range len(row.sealed.Envelope) + 1 {
			refusesAll(t, r, key, place,
				row.with(slices.Insert(bytes.Clone(row.sealed.Envelope), i, 0), row.sealed.Value), name)
		}
		for i := range len(row.sealed.Value) + 1 {
			refusesAll(t, r, key, place,
				row.with(row.sealed.Envelope, slices.Insert(bytes.Clone(row.sealed.Value), i, 0)), name)
		}
	}
}

func TestRowsDoNotMove(t *testing.T) {
	t.Parallel()
	for name, key := range bothKinds(t) {
		r := newRig(t)
		row := sealRow(t, r, key)
		for _, elsewhere := range []ports.Place{
			{
				Box:      domain.BoxID{1, 2, 4},
				Key:      place.Key,
				Version:  7,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      "app/databas",
				Version:  7,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      "app/database2",
				Version:  7,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      "",
				Version:  7,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      place.Key,
				Version:  8,
				SealedAs: 8,
			},
			{
				Box:      place.Box,
				Key:      place.Key,
				Version:  8,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      place.Key,
				Version:  7,
				SealedAs: 8,
			},
			{},
		} {
			refusesAll(t, r, key, elsewhere, row.sealed, name)
		}
		// The test combines parts of two rows with the same place and the same key.
		second := sealRow(t, r, key)
		_, err := r.prepare(t, key).Open(place, row.with(second.sealed.Envelope, row.sealed.Value))
		require.True(t, ports.IsTampered(err))
		require.ErrorContains(t, err, "entry value")
	}
}

// TestInnerLayer changes the content of the outer layer and seals the layer again. An attacker who has the server keys
// could do the same.
func TestInnerLayer(t *testing.T) {
	t.Parallel()
	for name, key := range bothKinds(t) {
		r := newRig(t)
		row := sealRow(t, r, key)
		raw, err := r.sealer.openOuter(r.sealer.keyInMemory, place, row.sealed.Envelope)
		require.NoError(t, err)
		for i := range raw {
			changed := bytes.Clone(raw)
			changed[i] ^= 1
			_, envelope, err := r.sealer.sealOuter(place, make([]byte, nonce24), changed)
			require.NoError(t, err)
			refusesAll(t, r, key, place, row.with(envelope, row.sealed.Value), name)
			_, err = r.prepare(t, key).Open(place, row.with(envelope, row.sealed.Value))
			switch {
			case i < 2 || i >= headerLen+commitLen:
				require.True(t, ports.IsTampered(err), "%s: byte %d", name, i)
			case i >= headerLen-saltLen:
				require.Equal(t, domain.ErrKeyMismatch, err, "%s: byte %d: the commitment is another one", name, i)
			}
		}
	}
}

// TestStoredParametersAreBounded verifies the limits of stored Argon2id parameters. An attacker who can write rows must
// not be able to cause expensive key derivations.
func TestStoredParametersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	capped, err := NewEntrySealer(EntryConfig{
		Keys:               r.keys,
		Derive:             r.argon.derive,
		Params:             cheap,
		MaxStoredMemoryKiB: 1024,
	})
	require.NoError(t, err)
	secret := passphrase(t, "a passphrase")
	row := sealRow(t, r, secret)
	raw, err := r.sealer.openOuter(r.sealer.keyInMemory, place, row.sealed.Envelope)
	require.NoError(t, err)
	r.argon.times.Store(0)

	header := func(kdf byte, memory, times uint32, threads byte) []byte {
		changed := bytes.Clone(raw)
		changed[2] = kdf
		binary.BigEndian.PutUint32(changed[3:], memory)
		binary.BigEndian.PutUint32(changed[7:], times)
		changed[11] = threads
		return changed
	}
	for name, changed := range map[string][]byte{
		"memory over the limit":     header(1, 1025, 1, 1),
		"all memory":                header(1, ^uint32(0), 1, 1),
		"no memory":                 header(1, 0, 1, 1),
		"memory below 8 per lane":   header(1, 31, 1, 4),
		"passes over the limit":     header(1, 8, 17, 1),
		"all passes":                header(1, 8, ^uint32(0), 1),
		"no passes":                 header(1, 8, 0, 1),
		"lanes over the limit":      header(1, 1024, 1, 5),
		"no lanes":                  header(1, 8, 1, 0),
		"unknown derivation":        header(2, 8, 1, 1),
		"none, but with parameters": header(0, 8, 1, 1),
		"none, but with a salt":     header(0, 0, 0, 0),
	} {
		_, envelope, err := r.sealer.sealOuter(place, make([]byte, nonce24), changed)
		require.NoError(t, err)
		for _, key := range []domain.EncryptionKey{secret, generatedKey(t, 1)} {
			at := ports.Sealed{Place: place, Envelope: envelope}
			_, err = capped.Prepare(t.Context(), key, boxSalt,
				ports.Sealed{Place: place, Envelope: row.sealed.Envelope}, at)
			require.True(t, ports.IsTampered(err), name)
			_, err = capped.PrepareOpen(t.Context(), key, at)
			require.True(t, ports.IsTampered(err), name)
		}
		require.Zero(t, r.argon.times.Load(), name)
	}
	_, envelope, err := r.sealer.sealOuter(place, make([]byte, nonce24), header(1, 1024, 16, 4))
	require.NoError(t, err)
	c, err := capped.PrepareOpen(t.Context(), secret, ports.Sealed{Place: place, Envelope: envelope})
	require.NoError(t, err, "the limits themselves are allowed")
	require.Equal(t, int32(1), r.argon.times.Load())
	_, err = c.Open(place, row.with(envelope, row.sealed.Value))
	require.Equal(t, domain.ErrKeyMismatch, err)
}
