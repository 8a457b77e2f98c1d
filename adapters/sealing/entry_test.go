package sealing

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

func TestSealAndOpen(t *testing.T) {
	t.Parallel()
	for name, key := range bothKinds(t) {
		r := newRig(t)
		c := r.prepare(t, key)
		for _, text := range [][]byte{value, nil, make([]byte, 512<<10)} {
			sealed, err := c.Seal(place, text)
			require.NoError(t, err, name)
			require.Len(t, sealed.Envelope, 208)
			require.Len(t, sealed.Value, len(text)+28)
			current, _ := r.keys.Current(domain.KeyForEntries)
			require.Equal(t, current, sealed.ServerKey)
			require.Equal(t, current[:], sealed.Envelope[:16])

			at := ports.Sealed{Place: place, Envelope: sealed.Envelope}
			reader, err := r.sealer.PrepareOpen(t.Context(), key, at)
			require.NoError(t, err)
			for _, each := range []ports.EntryCipher{c, reader} {
				require.True(t, each.Fits(at))
				opened, err := each.Open(place, sealed)
				require.NoError(t, err, name)
				require.Equal(t, len(text), len(opened))
				require.Equal(t, string(text), string(opened))
			}
			_, err = reader.Seal(place, text)
			require.ErrorIs(t, err, ErrNotPrepared)
		}
		one, err := c.Seal(place, value)
		require.NoError(t, err)
		two, err := c.Seal(place, value)
		require.NoError(t, err)
		require.NotEqual(t, one.Value, two.Value)
		for at := idLen; at+16 <= envelopeLen; at += 16 {
			require.NotEqual(t, one.Envelope[at:at+16], two.Envelope[at:at+16])
		}
	}
}

func TestAnotherKey(t *testing.T) {
	t.Parallel()
	raw := [32]byte{}
	copy(raw[:], "thirty-two bytes that are a text")
	asKey, err := domain.ParseEncryptionKey(domain.FormatGeneratedKey(raw))
	require.NoError(t, err)
	keys := []domain.EncryptionKey{
		generatedKey(t, 1), generatedKey(t, 2), passphrase(t, "one"), passphrase(t, "One"),
		asKey, passphrase(t, string(raw[:])), // the same bytes as both kinds of key
	}
	r := newRig(t)
	for i, sealedUnder := range keys {
		sealed, err := r.prepare(t, sealedUnder).Seal(place, value)
		require.NoError(t, err)
		at := ports.Sealed{Place: place, Envelope: sealed.Envelope}
		for j, openedUnder := range keys {
			for _, c := range []ports.EntryCipher{r.prepare(t, openedUnder), r.prepare(t, openedUnder, at)} {
				opened, err := c.Open(place, sealed)
				require.Equal(t, i == j, c.Fits(at))
				if i == j {
					require.NoError(t, err)
					require.Equal(t, value, opened)
					continue
				}
				require.Equal(t, domain.ErrKeyMismatch, err)
				require.False(t, ports.IsTampered(err))
			}
		}
	}
}

// TestDerivations counts the key derivations of each operation.
func TestDerivations(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	old := ports.Argon2Params{MemoryKiB: 16, Time: 1, Threads: 1}
	older := ports.Argon2Params{MemoryKiB: 16, Time: 2, Threads: 2}
	secret := passphrase(t, "a passphrase")
	made := func(params ports.Argon2Params, key domain.EncryptionKey, salt domain.BoxSalt) ports.Sealed {
		c, err := r.sealerWith(t, params).Prepare(t.Context(), key, salt)
		require.NoError(t, err)
		sealed, err := c.Seal(place, value)
		require.NoError(t, err)
		return ports.Sealed{Place: place, Envelope: sealed.Envelope}
	}
	today, before, longBefore := made(cheap, secret, boxSalt), made(old, secret, boxSalt), made(older, secret, boxSalt)
	resalted, other := made(cheap, secret, domain.BoxSalt{1}), made(cheap, generatedKey(t, 1), boxSalt)

	for name, test := range map[string]struct {
		key           domain.EncryptionKey
		sealed        []ports.Sealed
		write, toRead int32
	}{
		"nothing there":                  {secret, nil, 1, 0},
		"today's":                        {secret, []ports.Sealed{today}, 1, 1},
		"an old one":                     {secret, []ports.Sealed{before}, 2, 1},
		"an old one twice":               {secret, []ports.Sealed{before, before}, 2, 1},
		"all of them":                    {secret, []ports.Sealed{today, before, longBefore}, 3, 3},
		"another salt":                   {secret, []ports.Sealed{resalted}, 2, 1},
		"another kind of key":            {secret, []ports.Sealed{other}, 1, 0},
		"a generated key":                {generatedKey(t, 1), []ports.Sealed{other}, 0, 0},
		"a generated key, another there": {generatedKey(t, 1), []ports.Sealed{before, today}, 0, 0},
	} {
		r.argon.times.Store(0)
		c := r.prepare(t, test.key, test.sealed...)
		require.Equal(t, test.write, r.argon.times.Load(), name)
		_, err := c.Seal(place, value)
		require.NoError(t, err, name)

		r.argon.times.Store(0)
		reader, err := r.sealer.PrepareOpen(t.Context(), test.key, test.sealed...)
		require.NoError(t, err, name)
		require.Equal(t, test.toRead, r.argon.times.Load(), name)
		for _, each := range test.sealed {
			require.Equal(t, c.Fits(each), reader.Fits(each), name)
		}
	}
	unprepared := r.prepare(t, secret)
	require.False(t, unprepared.Fits(before))
	id := domain.ServerKeyID(before.Envelope[:16])
	_, err := unprepared.Open(place, ports.SealedValue{ServerKey: id, Envelope: before.Envelope})
	require.ErrorIs(t, err, ErrNotPrepared)
}

func TestBusyAndCleared(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := r.sealer.Prepare(ctx, passphrase(t, "one"), boxSalt)
	require.ErrorIs(t, err, domain.Unavailable)
	_, err = r.sealer.Prepare(ctx, generatedKey(t, 1), boxSalt)
	require.NoError(t, err, "a generated key needs no key derivation")

	for _, key := range bothKinds(t) {
		c := r.prepare(t, key)
		sealed, err := c.Seal(place, value)
		require.NoError(t, err)
		kept := c.derived
		require.NotZero(t, kept[0].ikm)
		c.Clear()
		require.Zero(t, kept[0].ikm)
		_, err = c.Seal(place, value)
		require.ErrorIs(t, err, ErrNotPrepared)
		_, err = c.Open(place, sealed)
		require.ErrorIs(t, err, ErrNotPrepared)
		c.Clear()
		require.NotEqual(t, make([]byte, len(key.Bytes())), key.Bytes(),
			"the client's key is not the cipher's to clear")
	}
}

func TestRestoreAndRewrap(t *testing.T) {
	t.Parallel()
	for _, key := range bothKinds(t) {
		r := newRig(t)
		sealed, err := r.prepare(t, key).Seal(place, value)
		require.NoError(t, err)
		second := r.store.rekey(t, r.keys, domain.KeyForEntries, 2)
		require.NoError(t, r.keys.Reload(t.Context()))

		restored := ports.Place{
			Box:      place.Box,
			Key:      place.Key,
			Version:  12,
			SealedAs: place.SealedAs,
		}
		id, envelope, err := r.sealer.Rebind(t.Context(), place, sealed.Envelope, restored)
		require.NoError(t, err)
		require.Equal(t, second, id)
		moved := ports.SealedValue{ServerKey: id, Envelope: envelope, Value: sealed.Value}
		c := r.prepare(t, key, ports.Sealed{Place: restored, Envelope: envelope})
		opened, err := c.Open(restored, moved)
		require.NoError(t, err)
		require.Equal(t, value, opened)
		for _, wrong := range []ports.Place{
			place, {
				Box:      place.Box,
				Key:      place.Key,
				Version:  12,
				SealedAs: 12,
			},
			{
				Box:      place.Box,
				Key:      place.Key,
				Version:  7,
				SealedAs: 12,
			},
		} {
			_, err = c.Open(wrong, moved)
			require.True(t, ports.IsTampered(err))
		}

		id, envelope, err = r.sealer.Rewrap(t.Context(), place, sealed.Envelope)
		require.NoError(t, err)
		require.Equal(t, second, id)
		opened, err = c.Open(place, ports.SealedValue{ServerKey: id, Envelope: envelope, Value: sealed.Value})
		require.NoError(t, err)
		require.Equal(t, value, opened)
		opened, err = c.Open(place, sealed)
		require.NoError(t, err, "the retired key still opens existing data")
		require.Equal(t, value, opened)

		for _, to := range []ports.Place{
			{
				Box:      domain.BoxID{9},
				Key:      place.Key,
				Version:  12,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      "other",
				Version:  12,
				SealedAs: 7,
			},
			{
				Box:      place.Box,
				Key:      place.Key,
				Version:  12,
				SealedAs: 12,
			},
		} {
			_, _, err = r.sealer.Rebind(t.Context(), place, sealed.Envelope, to)
			require.ErrorIs(t, err, errRebind)
		}
		_, _, err = r.sealer.Rebind(t.Context(), restored, sealed.Envelope, restored)
		require.True(t, ports.IsTampered(err))
		_, err = c.Seal(restored, value)
		require.ErrorIs(t, err, errVersions)
	}
}

// TestServerKeyNotInMemory opens an envelope under a server key that another replica created. This replica does not
// have the key in memory.
func TestServerKeyNotInMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other, err := OpenKeyring(t.Context(), config(t, r.store, secretOf(t, 1)))
	require.NoError(t, err)
	r.store.rekey(t, r.keys, domain.KeyForEntries, 2)
	require.NoError(t, other.Reload(t.Context()))
	theirs, err := NewEntrySealer(EntryConfig{Keys: other, Derive: r.argon.derive, Params: cheap})
	require.NoError(t, err)
	key := generatedKey(t, 3)
	c, err := theirs.Prepare(t.Context(), key, boxSalt)
	require.NoError(t, err)
	sealed, err := c.Seal(place, value)
	require.NoError(t, err)

	mine := r.prepare(t, key)
	_, err = mine.Open(place, sealed)
	require.ErrorIs(t, err, ports.ErrStaleServerKey, "no reload inside a transaction")
	require.False(t, mine.Fits(ports.Sealed{Place: place, Envelope: sealed.Envelope}))
	prepared := r.prepare(t, key, ports.Sealed{Place: place, Envelope: sealed.Envelope})
	opened, err := prepared.Open(place, sealed)
	require.NoError(t, err)
	require.Equal(t, value, opened)
}

func TestNewEntrySealerRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, change := range []func(*EntryConfig){
		func(c *EntryConfig) { c.Keys = nil },
		func(c *EntryConfig) { c.Derive = nil },
		func(c *EntryConfig) { c.MaxStoredMemoryKiB = 256<<10 + 1 },
		func(c *EntryConfig) { c.MaxStoredMemoryKiB = 19455 },
		func(c *EntryConfig) { c.Params = ports.Argon2Params{MemoryKiB: 19456, Time: 17, Threads: 1} },
		func(c *EntryConfig) { c.Params = ports.Argon2Params{MemoryKiB: 19456, Time: 1, Threads: 5} },
		func(c *EntryConfig) { c.Params = ports.Argon2Params{MemoryKiB: 7, Time: 1, Threads: 1} },
		func(c *EntryConfig) { c.Params = ports.Argon2Params{MemoryKiB: 8, Threads: 1} },
	} {
		good := EntryConfig{Keys: r.keys, Derive: r.argon.derive}
		_, err := NewEntrySealer(good)
		require.NoError(t, err)
		change(&good)
		_, err = NewEntrySealer(good)
		require.Error(t, err)
	}
}

// TestNothingPrints checks that printing a Keyring, a sealer or a cipher reveals no key.
func TestNothingPrints(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := r.prepare(t, generatedKey(t, 0x7b)) // 123 in decimal, {{{ as text
	_, key := r.keys.Current(domain.KeyForEntries)
	account := NewAccountSealer(r.keys, nil)
	hidden := struct {
		c    ports.EntryCipher
		keys *Keyring
	}{c, r.keys}
	for _, verb := range []string{"%v", "%+v", "%#v"} { // fmt cannot call methods of unexported fields
		require.NotContains(t, fmt.Sprintf(verb, hidden), "123 123")
		require.NotContains(t, fmt.Sprintf(verb, hidden), "0x7b, 0x7b")
	}
	settings := config(t, r.store, secretOf(t, 1))
	settings.IDs = nil // parallel tests share IDs: printing it would be a data race
	for _, each := range []any{
		r.keys, c, r.sealer, account, ports.EntryCipher(c), []any{r.keys, c}, settings,
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
			shown := fmt.Sprintf(verb, each)
			for _, secret := range [][]byte{key[:3], {0x7b, 0x7b, 0x7b, 0x7b}, {1, 1, 1, 1}} {
				require.NotContains(t, shown, string(secret))
				require.NotContains(t, shown, hex.EncodeToString(secret))
				require.NotContains(t, shown, strings.Trim(fmt.Sprintf("%d", secret), "[]"))
			}
		}
	}
}
