package contracts

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// EntrySealerFixture holds an implementation of ports.EntrySealer, and functions and further sealers that tests need.
type EntrySealerFixture struct {
	Sealer ports.EntrySealer
	// Former has the same server keys as Sealer, but derives keys from passphrases with other Argon2id parameters.
	Former ports.EntrySealer
	// Rekey adds a server key for entries, retires the current one, and returns the identifier of the new one.
	Rekey func(t *testing.T) domain.ServerKeyID
	// Replica is the sealer of another server that uses the same database. It does not know a server key that Rekey
	// adds until it reads the key from the database.
	Replica ports.EntrySealer
}

// EntrySealer is the suite of ports.EntrySealer.
func EntrySealer(t *testing.T, open func(t *testing.T) EntrySealerFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, EntrySealerFixture){
		"PrepareOpen": sealerPrepareOpen,
		"Rebind":      sealerRebind,
		"Rewrap":      sealerRewrap,
		"CheckOuter":  sealerCheckOuter,
		"Tampering":   sealerTampering,
		"Unavailable": sealerUnavailable,
	})
}

// entryValue is the value that the suite seals for entryPlace.
const entryValue = `{"password":"correct horse"}`

var (
	entryPlace = ports.Place{
		Box:      domain.BoxID{1},
		Key:      "app/database",
		Version:  7,
		SealedAs: 7,
	}
	entrySalt = domain.BoxSalt{2}
)

// entryKeys returns one encryption key of each kind. The map key is the name of the kind.
func entryKeys(t *testing.T) map[string]domain.EncryptionKey {
	t.Helper()
	return map[string]domain.EncryptionKey{
		"generated":  entryKey(t, domain.FormatGeneratedKey([32]byte{3})),
		"passphrase": entryKey(t, "a passphrase"),
	}
}

func entryKey(t *testing.T, text string) domain.EncryptionKey {
	t.Helper()
	key, err := domain.ParseEncryptionKey(text)
	require.NoError(t, err)
	return key
}

func prepare(t *testing.T, sealer ports.EntrySealer, key domain.EncryptionKey, at ...ports.Sealed) ports.EntryCipher {
	t.Helper()
	cipher, err := sealer.Prepare(t.Context(), key, entrySalt, at...)
	require.NoError(t, err)
	t.Cleanup(cipher.Clear)
	return cipher
}

// seal seals entryValue for entryPlace.
func seal(t *testing.T, sealer ports.EntrySealer, key domain.EncryptionKey) ports.SealedValue {
	t.Helper()
	sealed, err := prepare(t, sealer, key).Seal(entryPlace, []byte(entryValue))
	require.NoError(t, err)
	return sealed
}

// requireOpens requires that a cipher decrypts a sealed value, and that the result is entryValue.
func requireOpens(t *testing.T, cipher ports.EntryCipher, place ports.Place, sealed ports.SealedValue) {
	t.Helper()
	require.True(t, cipher.Fits(ports.Sealed{Place: place, Envelope: sealed.Envelope}))
	value, err := cipher.Open(place, sealed)
	require.NoError(t, err)
	require.Equal(t, entryValue, string(value))
}

func envelopeOf(sealed ports.SealedValue) ports.Sealed {
	return ports.Sealed{Place: entryPlace, Envelope: sealed.Envelope}
}

// sealerCheckOuter verifies that CheckOuter needs no encryption key of a client, and accepts an envelope under a
// retired server key. CheckOuter must detect every change of the envelope and every change of the place.
func sealerCheckOuter(t *testing.T, f EntrySealerFixture) {
	for name, key := range entryKeys(t) {
		sealed := seal(t, f.Sealer, key)
		next := f.Rekey(t)
		check := func(at ports.Place, id domain.ServerKeyID, envelope []byte) error {
			return f.Sealer.CheckOuter(t.Context(), at, id, envelope)
		}
		require.NoError(t, check(entryPlace, sealed.ServerKey, sealed.Envelope), name)
		requireTampered(t, check(entryPlace, next, sealed.Envelope),
			"the row and the envelope name different server keys")
		for _, envelope := range append(damaged(sealed.Envelope), nil) {
			requireTampered(t, check(entryPlace, sealed.ServerKey, envelope), name)
		}
		moved := entryPlace
		moved.Version++
		requireTampered(t, check(moved, sealed.ServerKey, sealed.Envelope), name)
	}
}

func sealerPrepareOpen(t *testing.T, f EntrySealerFixture) {
	for name, key := range entryKeys(t) {
		sealed, former := seal(t, f.Sealer, key), seal(t, f.Former, key)
		cipher, err := f.Sealer.PrepareOpen(t.Context(), key, envelopeOf(sealed), envelopeOf(former))
		require.NoError(t, err, name)
		requireOpens(t, cipher, entryPlace, sealed)
		requireOpens(t, cipher, entryPlace, former)
		_, err = cipher.Seal(entryPlace, []byte(entryValue))
		require.Error(t, err, "it cannot seal")
		requireOpens(t, prepare(t, f.Sealer, key, envelopeOf(former)), entryPlace, former)
	}
}

// sealerRebind verifies that an old version can be restored as the newest version, even if the server key was replaced
// after the old version was written.
func sealerRebind(t *testing.T, f EntrySealerFixture) {
	keys := entryKeys(t)
	before := map[string]ports.SealedValue{}
	for name, key := range keys {
		before[name] = seal(t, f.Sealer, key)
	}
	current := f.Rekey(t)
	to := entryPlace
	to.Version = 12
	for name, key := range keys {
		id, envelope, err := f.Sealer.Rebind(t.Context(), entryPlace, before[name].Envelope, to)
		require.NoError(t, err, name)
		require.Equal(t, current, id)
		restored := ports.SealedValue{ServerKey: id, Envelope: envelope, Value: before[name].Value}
		cipher := prepare(t, f.Sealer, key, ports.Sealed{Place: to, Envelope: envelope})
		requireOpens(t, cipher, to, restored)
		_, err = cipher.Open(entryPlace, restored)
		requireTampered(t, err, "the restored version cannot be decrypted as the former version")
		_, _, err = f.Sealer.Rebind(t.Context(), to, before[name].Envelope, to)
		requireTampered(t, err, "the envelope belongs to another version")
	}
	for _, change := range []func(*ports.Place){
		func(p *ports.Place) { p.Box[0]++ },
		func(p *ports.Place) { p.Key = "another" },
		func(p *ports.Place) { p.SealedAs = p.Version },
	} {
		other := to
		change(&other)
		_, _, err := f.Sealer.Rebind(t.Context(), entryPlace, before["generated"].Envelope, other)
		require.Error(t, err, "the target is another entry or another value")
	}
}

func sealerRewrap(t *testing.T, f EntrySealerFixture) {
	for _, key := range entryKeys(t) {
		sealed := seal(t, f.Sealer, key)
		current := f.Rekey(t)
		id, envelope, err := f.Sealer.Rewrap(t.Context(), entryPlace, sealed.Envelope)
		require.NoError(t, err)
		require.Equal(t, current, id)
		require.NotEqual(t, sealed.Envelope, envelope)
		moved := ports.SealedValue{ServerKey: id, Envelope: envelope, Value: sealed.Value}
		cipher := prepare(t, f.Sealer, key, envelopeOf(moved))
		requireOpens(t, cipher, entryPlace, moved)
		requireOpens(t, cipher, entryPlace, sealed)
	}
}

func sealerTampering(t *testing.T, f EntrySealerFixture) {
	key := entryKeys(t)["passphrase"]
	for _, envelope := range damaged(seal(t, f.Sealer, key).Envelope) {
		at := ports.Sealed{Place: entryPlace, Envelope: envelope}
		_, err := f.Sealer.Prepare(t.Context(), key, entrySalt, at)
		requireTampered(t, err)
		_, err = f.Sealer.PrepareOpen(t.Context(), key, at)
		requireTampered(t, err)
		_, _, err = f.Sealer.Rebind(t.Context(), entryPlace, envelope, entryPlace)
		requireTampered(t, err)
		_, _, err = f.Sealer.Rewrap(t.Context(), entryPlace, envelope)
		requireTampered(t, err)
	}
}

// sealerUnavailable verifies that the sealer derives no key if the context of the request is already canceled.
func sealerUnavailable(t *testing.T, f EntrySealerFixture) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	key := entryKeys(t)["passphrase"]
	former := envelopeOf(seal(t, f.Former, key))
	cipher := prepare(t, f.Sealer, key)
	_, err := f.Sealer.Prepare(ended, key, entrySalt)
	require.ErrorIs(t, err, domain.Unavailable)
	_, err = f.Sealer.PrepareOpen(ended, key, former)
	require.ErrorIs(t, err, domain.Unavailable)
	require.ErrorIs(t, cipher.Extend(ended, key, former), domain.Unavailable)
}
