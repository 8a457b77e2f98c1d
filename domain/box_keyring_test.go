package domain

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// hexBytes are bytes that the vectors contain in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) error {
	raw, err := hex.DecodeString(string(text))
	*h = raw
	return err
}

// keyVectors are test vectors for the formats of identities and keyrings. The Go client made them.
type keyVectors struct {
	Identities []struct {
		Public      string   `json:"public"`
		Fingerprint hexBytes `json:"fingerprint32"`
	} `json:"identities"`
	Keyrings []keyringVector `json:"keyrings"`
}

type keyringVector struct {
	Name         string   `json:"name"`
	Installation hexBytes `json:"installation_id"`
	Box          hexBytes `json:"box_id"`
	Mode         uint8    `json:"mode"`
	Sequence     uint64   `json:"sequence"`
	BoxKey       string   `json:"box_key"`
	KeyID        string   `json:"key_id"`
	Recipients   []struct {
		User        hexBytes `json:"user_id"`
		Fingerprint hexBytes `json:"fingerprint32"`
		Wrapped     hexBytes `json:"wrapped"`
	} `json:"recipients"`
	Head      hexBytes `json:"head"`
	Chain     hexBytes `json:"chain"`
	Signature hexBytes `json:"signature"`
}

func readKeyVectors(t testing.TB) (vectors keyVectors) {
	t.Helper()
	text, err := os.ReadFile("testdata/keyrings.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &vectors))
	require.Len(t, vectors.Identities, 2)
	require.GreaterOrEqual(t, len(vectors.Keyrings), 3)
	return vectors
}

func (v keyringVector) recipients() (recipients []KeyRecipient) {
	for _, each := range v.Recipients {
		recipients = append(recipients, KeyRecipient{
			User:        UserID(each.User),
			Fingerprint: Fingerprint(each.Fingerprint),
			Wrapped:     each.Wrapped,
		})
	}
	return recipients
}

// TestPublicIdentityVectors parses each public identity in the test vectors. It also verifies that damaged copies of
// the text are refused.
func TestPublicIdentityVectors(t *testing.T) {
	t.Parallel()
	for _, vector := range readKeyVectors(t).Identities {
		public, err := ParsePublicIdentity(vector.Public)
		require.NoError(t, err)
		require.Equal(t, vector.Public, public.String())
		require.Equal(t, Fingerprint(vector.Fingerprint), public.Fingerprint())
		for _, text := range damagedTexts(vector.Public) {
			_, err := ParsePublicIdentity(text)
			require.ErrorIs(t, err, Invalid)
			require.Equal(t, "identity_invalid", CodeOf(err))
		}
	}
}

// damagedTexts returns damaged copies of a text: with one character changed, with a character missing, and with
// additional characters around it.
func damagedTexts(text string) []string {
	damaged := []string{"", text[1:], text[:len(text)-1], text + "A", " " + text, text + "\n", "lbid1_" + text[6:]}
	for i := 0; i < len(text); i += 7 {
		other := byte('A')
		if text[i] == other {
			other = 'B'
		}
		damaged = append(damaged, text[:i]+string(other)+text[i+1:], text[:i]+"\n"+text[i+1:])
	}
	return damaged
}

// TestMalformedWrapKey verifies that a public identity with a valid checksum is refused if no key can be wrapped to it.
func TestMalformedWrapKey(t *testing.T) {
	t.Parallel()
	valid, err := ParsePublicIdentity(readKeyVectors(t).Identities[0].Public)
	require.NoError(t, err)
	for name, change := range map[string]func(*PublicIdentity){
		"version":                       func(p *PublicIdentity) { p[0] = 2 },
		"coefficients over the modulus": func(p *PublicIdentity) { copy(p[1:], bytes.Repeat([]byte{0xff}, 1152)) },
		"X25519 point of low order":     func(p *PublicIdentity) { clear(p[1+1184 : 1+1216]) },
	} {
		changed := valid
		change(&changed)
		_, err := ParsePublicIdentity(changed.String())
		require.ErrorIs(t, err, Invalid, name)
	}
}

// TestKeyringVectors parses the keyrings in the test vectors and checks their signatures.
func TestKeyringVectors(t *testing.T) {
	t.Parallel()
	for _, vector := range readKeyVectors(t).Keyrings {
		head, err := ParseKeyringHead(vector.Head)
		require.NoError(t, err, vector.Name)
		require.Equal(t, []byte(vector.Head), head.Bytes())
		require.Equal(t, InstallationID(vector.Installation), head.Installation)
		require.Equal(t, BoxID(vector.Box), head.Box)
		require.Equal(t, vector.Mode, head.Mode)
		require.Equal(t, vector.Sequence, head.Sequence)
		require.Equal(t, vector.KeyID, head.Key.String())
		key, err := ParseEncryptionKey(vector.BoxKey)
		require.NoError(t, err)
		require.Equal(t, head.Key, key.ID(), "the server derives the same id from the key")

		keyring, err := NewBoxKeyring(vector.Head, vector.Chain, vector.Signature, vector.recipients())
		if vector.Mode != 0 {
			require.Equal(t, "keyring_invalid", CodeOf(err))
			continue
		}
		require.NoError(t, err, vector.Name)
		require.Len(t, keyring.Recipients, len(vector.Recipients))
	}
}

// TestKeyringFlippedBytes flips each byte of the head and some bytes of the other parts, one at a time. Each flipped
// byte must cause an error, either from NewBoxKeyring or from CheckSignature.
func TestKeyringFlippedBytes(t *testing.T) {
	t.Parallel()
	vector, author := signedVector(t)
	check := func(head, chain, signature []byte, recipients []KeyRecipient) error {
		keyring, err := NewBoxKeyring(head, chain, signature, recipients)
		if err != nil {
			return err
		}
		return keyring.CheckSignature(author)
	}
	require.NoError(t, check(vector.Head, vector.Chain, vector.Signature, vector.recipients()))
	flip := func(raw []byte, i int) []byte {
		flipped := bytes.Clone(raw)
		flipped[i] ^= 1
		return flipped
	}
	for i := range vector.Head {
		require.Error(t, check(flip(vector.Head, i), vector.Chain, vector.Signature, vector.recipients()), "head %d", i)
	}
	for i := range vector.Chain {
		require.Error(t, check(vector.Head, flip(vector.Chain, i), vector.Signature, vector.recipients()),
			"chain %d", i)
	}
	for i := range vector.Signature {
		require.Error(t, check(vector.Head, vector.Chain, flip(vector.Signature, i), vector.recipients()),
			"signature %d", i)
	}
	for i := range vector.Recipients[0].Wrapped {
		recipients := vector.recipients()
		recipients[0].Wrapped = flip(recipients[0].Wrapped, i)
		require.Error(t, check(vector.Head, vector.Chain, vector.Signature, recipients), "wrapped %d", i)
	}
	recipients := vector.recipients()
	recipients[0].User[15] ^= 1
	require.Error(t, check(vector.Head, vector.Chain, vector.Signature, recipients), "user")
}

// signedVector returns the first keyring in the test vectors, and the identity of its author. The author is also a
// recipient.
func signedVector(t *testing.T) (keyringVector, Identity) {
	t.Helper()
	vectors := readKeyVectors(t)
	vector := vectors.Keyrings[0]
	head, err := ParseKeyringHead(vector.Head)
	require.NoError(t, err)
	text, err := os.ReadFile("testdata/author.txt")
	require.NoError(t, err)
	public, err := ParsePublicIdentity(string(bytes.TrimSpace(text)))
	require.NoError(t, err)
	require.Equal(t, head.Author, public.Fingerprint())
	return vector, Identity{Public: public, Fingerprint: head.Author, Current: true}
}

// FuzzKeyringHead verifies that each head has only one binary form: if a head can be parsed, its method Bytes returns
// exactly the parsed bytes.
func FuzzKeyringHead(f *testing.F) {
	for _, vector := range readKeyVectors(f).Keyrings {
		f.Add([]byte(vector.Head))
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		head, err := ParseKeyringHead(raw)
		if err == nil && !bytes.Equal(raw, head.Bytes()) {
			t.Fatalf("%x parses and is built as %x", raw, head.Bytes())
		}
	})
}

// TestKeyID verifies that only generated keys have an id.
func TestKeyID(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a passphrase", "b64:AAAA", ""} {
		key, _ := ParseEncryptionKey(text)
		require.True(t, key.ID().IsZero(), text)
	}
	require.True(t, UnusableEncryptionKey(ErrEncryptionKeyRequired).ID().IsZero())
	one, err := ParseEncryptionKey(FormatGeneratedKey([32]byte{1}))
	require.NoError(t, err)
	two, err := ParseEncryptionKey(FormatGeneratedKey([32]byte{2}))
	require.NoError(t, err)
	require.NotEqual(t, one.ID(), two.ID())
	require.Len(t, one.ID().String(), 22)
	require.Empty(t, KeyID{}.String())
}

// TestSeedIsNoKey verifies that an identity is refused where an encryption key is expected.
func TestSeedIsNoKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"lbid1_", "lbid1_OIQEwOV-4G1mhff_3DM9VeTd26Z_EZtmoewS_E9i6jEJ99h", "KEY=lbid1_x"} {
		_, err := ParseEncryptionKey(text)
		require.Equal(t, "encryption_key_invalid", CodeOf(err))
	}
}
