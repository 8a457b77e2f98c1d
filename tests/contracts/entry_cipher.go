package contracts

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// EntryCipher is the suite of ports.EntryCipher. It tests ciphers that a sealer prepares.
func EntryCipher(t *testing.T, open func(t *testing.T) EntrySealerFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, EntrySealerFixture){
		"RoundTrip":      cipherRoundTrip,
		"Extend":         cipherExtend,
		"AnotherKey":     cipherAnotherKey,
		"Binding":        cipherBinding,
		"Tampering":      cipherTampering,
		"StaleServerKey": cipherStaleServerKey,
		"Clear":          cipherClear,
	})
}

func cipherRoundTrip(t *testing.T, f EntrySealerFixture) {
	for _, key := range entryKeys(t) {
		cipher := prepare(t, f.Sealer, key)
		for _, text := range []string{entryValue, ""} {
			sealed, err := cipher.Seal(entryPlace, []byte(text))
			require.NoError(t, err)
			require.Equal(t, sealed.ServerKey[:], sealed.Envelope[:len(sealed.ServerKey)])
			value, err := cipher.Open(entryPlace, sealed)
			require.NoError(t, err)
			require.Equal(t, text, string(value))
			again, err := cipher.Seal(entryPlace, []byte(text))
			require.NoError(t, err)
			require.NotEqual(t, sealed.Value, again.Value, "each value has a data key of its own")
		}
		restored := entryPlace
		restored.SealedAs--
		_, err := cipher.Seal(restored, []byte(entryValue))
		require.Error(t, err, "SealedAs must equal Version")
	}
}

func cipherExtend(t *testing.T, f EntrySealerFixture) {
	for name, key := range entryKeys(t) {
		former := seal(t, f.Former, key)
		cipher := prepare(t, f.Sealer, key)
		require.Equal(t, key.Generated(), cipher.Fits(envelopeOf(former)), "the parameters were not prepared")
		require.NoError(t, cipher.Extend(t.Context(), key, envelopeOf(former)), name)
		requireOpens(t, cipher, entryPlace, former)
		requireOpens(t, cipher, entryPlace, seal(t, f.Sealer, key))
		former.Envelope[len(former.Envelope)-1] ^= 1
		requireTampered(t, cipher.Extend(t.Context(), key, envelopeOf(former)))
	}
}

func cipherAnotherKey(t *testing.T, f EntrySealerFixture) {
	keys := entryKeys(t)
	keys["another passphrase"] = entryKey(t, "A passphrase")
	keys["another generated"] = entryKey(t, domain.FormatGeneratedKey([32]byte{4}))
	for sealedWith, key := range keys {
		sealed := seal(t, f.Sealer, key)
		for openedWith, other := range keys {
			cipher := prepare(t, f.Sealer, other, envelopeOf(sealed))
			if openedWith == sealedWith {
				requireOpens(t, cipher, entryPlace, sealed)
				continue
			}
			require.False(t, cipher.Fits(envelopeOf(sealed)))
			value, err := cipher.Open(entryPlace, sealed)
			requireRefusal(t, err, domain.Forbidden, "encryption_key_mismatch")
			require.Nil(t, value)
		}
	}
}

func cipherBinding(t *testing.T, f EntrySealerFixture) {
	for _, key := range entryKeys(t) {
		sealed := seal(t, f.Sealer, key)
		cipher := prepare(t, f.Sealer, key)
		for name, move := range map[string]func(*ports.Place){
			"box":      func(p *ports.Place) { p.Box[15]++ },
			"key":      func(p *ports.Place) { p.Key += "s" },
			"version":  func(p *ports.Place) { p.Version++ },
			"sealedAs": func(p *ports.Place) { p.SealedAs++ },
			"both":     func(p *ports.Place) { p.Version, p.SealedAs = p.Version+1, p.SealedAs+1 },
		} {
			moved := entryPlace
			move(&moved)
			_, err := cipher.Open(moved, sealed)
			requireTampered(t, err, name)
		}
	}
}

func cipherTampering(t *testing.T, f EntrySealerFixture) {
	key := entryKeys(t)["generated"]
	cipher := prepare(t, f.Sealer, key)
	sealed, other := seal(t, f.Sealer, key), seal(t, f.Sealer, key)
	for _, value := range append(damaged(sealed.Value), nil, other.Value) {
		opened, err := cipher.Open(entryPlace, ports.SealedValue{
			ServerKey: sealed.ServerKey,
			Envelope:  sealed.Envelope,
			Value:     value,
		})
		requireTampered(t, err)
		require.Nil(t, opened)
	}
}

// cipherStaleServerKey verifies that Open does not read server keys from storage, because use cases call Open inside
// transactions. Open must return ErrStaleServerKey for an unknown server key. Extend reads the key.
func cipherStaleServerKey(t *testing.T, f EntrySealerFixture) {
	key := entryKeys(t)["generated"]
	cipher := prepare(t, f.Replica, key)
	f.Rekey(t)
	sealed := seal(t, f.Sealer, key)
	_, err := cipher.Open(entryPlace, sealed)
	require.ErrorIs(t, err, ports.ErrStaleServerKey)
	require.False(t, cipher.Fits(envelopeOf(sealed)))
	require.NoError(t, cipher.Extend(t.Context(), key, envelopeOf(sealed)))
	requireOpens(t, cipher, entryPlace, sealed)
}

func cipherClear(t *testing.T, f EntrySealerFixture) {
	for _, key := range entryKeys(t) {
		sealed := seal(t, f.Sealer, key)
		cipher := prepare(t, f.Sealer, key)
		cipher.Clear()
		_, err := cipher.Seal(entryPlace, []byte(entryValue))
		require.Error(t, err)
		_, err = cipher.Open(entryPlace, sealed)
		require.Error(t, err)
		require.False(t, cipher.Fits(envelopeOf(sealed)))
		cipher.Clear()
		requireOpens(t, prepare(t, f.Sealer, key), entryPlace, sealed) // the client's key is not cleared
	}
}
