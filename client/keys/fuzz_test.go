package keys

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

// FuzzHead parses bytes as a head. Every accepted head must encode to the same bytes again.
func FuzzHead(f *testing.F) {
	for _, v := range readVectors(f).Keyrings {
		f.Add([]byte(v.Head))
		f.Add([]byte(v.Head[:headLen-1]))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		h, ok := ParseHead(raw)
		if !ok {
			require.Zero(t, h)
			return
		}
		require.Equal(t, raw, h.Bytes())
	})
}

// FuzzHeadBothWays encodes a head and parses the bytes. The result must equal the original head. ParseHead must refuse
// an unknown mode and the sequence 0.
func FuzzHeadBothWays(f *testing.F) {
	f.Add([]byte("installation"), []byte("box"), uint8(0), uint64(1), []byte("key"), []byte("author"), []byte("lines"))
	f.Add([]byte{}, []byte{}, uint8(2), uint64(0), []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, installation, box []byte, mode uint8, sequence uint64, key, author, lines []byte) {
		h := Head{Place: Place{Mode: Mode(mode)}, Sequence: sequence}
		copy(h.Installation[:], installation)
		copy(h.Box[:], box)
		copy(h.Key[:], key)
		copy(h.Author[:], author)
		copy(h.Lines[:], lines)
		require.Len(t, h.Bytes(), headLen)
		parsed, ok := ParseHead(h.Bytes())
		require.Equal(t, h.Mode.valid() && sequence > 0, ok)
		if ok {
			require.Equal(t, h, parsed)
		}
	})
}

// FuzzTexts parses a text as each written form. Every accepted value must encode to the same text again.
func FuzzTexts(f *testing.F) {
	all := readVectors(f)
	for _, text := range []string{all.Identities[0].Identity, all.Identities[0].Public, all.Keyrings[1].Anchor,
		all.Keyrings[1].KeyID, Fingerprint(all.Identities[0].Fingerprint).String(),
		ID(all.Identities[0].User).String(), ""} {
		f.Add(text)
		f.Add(text + "\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseIdentity(text); err == nil {
			require.Equal(t, text, id.Reveal())
		}
		if public, err := ParsePublicKey(text); err == nil {
			require.Equal(t, text, public.String())
		}
		if anchor, err := ParseAnchor(text); err == nil {
			require.Equal(t, text, anchor.String())
		}
		if id, err := ParseKeyID(text); err == nil {
			require.Equal(t, text, id.String())
		}
		if print, err := ParseFingerprint(text); err == nil {
			require.Equal(t, text, print.String())
		}
		if id, err := ParseID(text); err == nil {
			require.Equal(t, text, id.String())
		}
	})
}

// FuzzTextsBothWays encodes values as texts, and checks that parsing the text returns the original value.
func FuzzTextsBothWays(f *testing.F) {
	f.Add([]byte("seed"), []byte("box"), uint8(1), []byte("key"))
	f.Add([]byte{}, []byte{}, uint8(7), []byte{0xff})
	f.Fuzz(func(t *testing.T, seed, box []byte, mode uint8, key []byte) {
		var raw [32]byte
		copy(raw[:], seed)
		id, err := ParseIdentity(writeForm(identityForm, raw[:]))
		require.NoError(t, err)
		require.Equal(t, raw[:], id.seed.bytes())
		public, err := ParsePublicKey(id.Public().String())
		require.NoError(t, err)
		require.Equal(t, id.Public(), public)
		print, err := ParseFingerprint(id.Fingerprint().String())
		require.NoError(t, err)
		require.Equal(t, id.Fingerprint(), print)
		require.True(t, print.Matches(print.Display()))

		anchor := Anchor{Mode: Mode(mode)}
		copy(anchor.Box[:], box)
		copy(anchor.Key[:], key)
		parsed, err := ParseAnchor(anchor.String())
		require.Equal(t, anchor.Mode.valid(), err == nil)
		if err == nil {
			require.Equal(t, anchor, parsed)
		}
		uuid, err := ParseID(anchor.Box.String())
		require.NoError(t, err)
		require.Equal(t, anchor.Box, uuid)
	})
}

// FuzzSealBothWays checks that a sealed text opens under its own key, label and data, but not if any of these three
// differs.
func FuzzSealBothWays(f *testing.F) {
	f.Add([]byte("key"), "label", []byte("data"), []byte("text"), []byte("key"), "label", []byte("data"))
	f.Add([]byte("key"), "label", []byte("data"), []byte{}, []byte("kez"), "label", []byte("data"))
	f.Add([]byte{}, "a", []byte("bc"), []byte("text"), []byte{}, "ab", []byte("c"))
	f.Fuzz(func(t *testing.T, key []byte, label string, aad, text, otherKey []byte, otherLabel string,
		otherAAD []byte) {
		sealed := seal(key, label, aad, text)
		require.Len(t, sealed, sealOverhead+len(text))
		_, opens := open(otherKey, otherLabel, otherAAD, sealed)
		same := bytes.Equal(key, otherKey) && label == otherLabel && bytes.Equal(aad, otherAAD)
		require.Equal(t, same, opens)
		opened, ok := open(key, label, aad, sealed)
		require.True(t, ok)
		require.True(t, bytes.Equal(text, opened))
	})
}

// FuzzOpen checks that keyrings whose parts were changed never open and never cause a panic.
func FuzzOpen(f *testing.F) {
	v := readVectors(f).Keyrings[1]
	seed := v.Recipients[0].Seed
	id, wrapped := identityOf([32]byte(seed)), v.wrappedFor(f, seed)
	f.Add([]byte(v.Head), []byte(v.Chain), []byte(v.Signature), wrapped)
	f.Add([]byte(v.Head), []byte(v.Chain[:sealOverhead-1]), []byte{}, wrapped[:1])
	f.Fuzz(func(t *testing.T, head, chain, signature, sent []byte) {
		parsed, ok := ParseHead(head)
		if !ok {
			return
		}
		k := v.keyring(t)
		k.Head, k.Chain, k.Signature = parsed, chain, signature
		_, err := k.Open(id, sent)
		if bytes.Equal(head, v.Head) && bytes.Equal(chain, v.Chain) && bytes.Equal(signature, v.Signature) &&
			bytes.Equal(sent, wrapped) {
			require.NoError(t, err)
			return
		}
		require.ErrorIs(t, err, client.ErrKeyringTampered)
	})
}

// FuzzBuildBothWays builds a keyring from a plan. Each recipient must be able to open the keyring, and must find the
// keys of the plan in it.
func FuzzBuildBothWays(f *testing.F) {
	f.Add(uint64(1), uint8(0), uint8(1), uint8(0))
	f.Add(uint64(7), uint8(1), uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, sequence uint64, mode, recipients, earlier uint8) {
		ids := []*Identity{GenerateIdentity()}
		for range recipients % 4 {
			ids = append(ids, GenerateIdentity())
		}
		plan := Plan{
			Place:    Place{Mode: Mode(mode % 2)},
			Sequence: max(1, sequence),
			Key:      GenerateBoxKey(),
			Author:   ids[0],
		}
		for range earlier % 4 {
			plan.Earlier = append(plan.Earlier, GenerateBoxKey())
		}
		for i, id := range ids {
			plan.To = append(plan.To, To{ID{byte(i)}, id.Public()})
		}
		made, err := Build(plan)
		require.NoError(t, err)
		for _, id := range ids {
			r, ok := made.Recipient(id.Fingerprint())
			require.True(t, ok)
			o, err := made.Keyring.Open(id, r.Wrapped)
			require.NoError(t, err)
			require.True(t, o.Key.Equal(plan.Key))
			require.Len(t, o.Earlier, len(plan.Earlier))
			for i, key := range plan.Earlier {
				require.True(t, o.Earlier[i].Equal(key))
				found, ok := o.Find(key.ID())
				require.True(t, ok)
				require.True(t, found.Equal(key))
			}
		}
		_, err = made.Keyring.Open(GenerateIdentity(), made.Recipients[0].Wrapped)
		require.ErrorIs(t, err, client.ErrKeyringTampered)
	})
}
