package keys

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/client"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew; only ever for a new format")

const vectorFile = "testdata/vectors.json"

// octets is a byte slice whose JSON form is hexadecimal.
type octets []byte

func (o octets) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(o)), nil }

func (o *octets) UnmarshalText(text []byte) (err error) {
	*o, err = hex.DecodeString(string(text))
	return err
}

type vectors struct {
	Comment    string           `json:"comment"`
	Identities []identityVector `json:"identities"`
	Keyrings   []keyringVector  `json:"keyrings"`
}

type identityVector struct {
	Seed         octets `json:"seed32"`
	Identity     string `json:"identity"`
	Public       string `json:"public"`
	Fingerprint  octets `json:"fingerprint32"`
	Passphrase   string `json:"passphrase"`
	Installation octets `json:"installation_id"`
	User         octets `json:"user_id"`
	Salt16       octets `json:"salt16"`
	Salt32       octets `json:"salt32"`
	Locked       octets `json:"locked"`
}

type recipientVector struct {
	User        octets `json:"user_id"`
	Seed        octets `json:"seed32"`
	Random      octets `json:"encapsulation_random64"`
	Fingerprint octets `json:"fingerprint32"`
	Wrapped     octets `json:"wrapped"`
}

type keyringVector struct {
	Name         string            `json:"name"`
	Installation octets            `json:"installation_id"`
	Box          octets            `json:"box_id"`
	Mode         byte              `json:"mode"`
	Sequence     uint64            `json:"sequence"`
	Author       octets            `json:"author_seed32"`
	Key          octets            `json:"box_key32"`
	BoxKey       string            `json:"box_key"`
	KeyID        string            `json:"key_id"`
	Earlier      []octets          `json:"earlier_keys"`
	Recipients   []recipientVector `json:"recipients"`
	Salt32       octets            `json:"chain_salt32"`
	Head         octets            `json:"head"`
	Chain        octets            `json:"chain"`
	Signature    octets            `json:"signature"`
	Anchor       string            `json:"anchor"`
}

func readVectors(t testing.TB) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	var v vectors
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&v))
	require.NotEmpty(t, v.Identities)
	require.NotEmpty(t, v.Keyrings)
	return v
}

// keyring returns the keyring of the vector, in the form that the server would send.
func (v keyringVector) keyring(t testing.TB) *Keyring {
	t.Helper()
	head, ok := ParseHead(v.Head)
	require.True(t, ok)
	k := &Keyring{
		Head:      head,
		Chain:     v.Chain,
		Signature: v.Signature,
		Author:    identityOf([32]byte(v.Author)).Public(),
	}
	for _, r := range v.Recipients {
		k.Recipients = append(k.Recipients, Recipient{ID(r.User), Fingerprint(r.Fingerprint), r.Wrapped})
	}
	return k
}

// TestVectorsAreThoseOfTheSpecification computes all vectors again with the second implementation of the formats. That
// implementation does not use this package.
func TestVectorsAreThoseOfTheSpecification(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Identities {
		again := v
		again.fill(t)
		require.Equal(t, v, again)
	}
	for _, v := range readVectors(t).Keyrings {
		again := v
		again.fill(t)
		require.Equal(t, v, again)
	}
}

func TestIdentityVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Identities {
		id, err := ParseIdentity(v.Identity)
		require.NoError(t, err)
		require.Equal(t, []byte(v.Seed), id.seed.bytes())
		require.Equal(t, v.Identity, id.Reveal())
		require.Equal(t, v.Public, id.Public().String())
		require.Equal(t, Fingerprint(v.Fingerprint), id.Fingerprint())
		public, err := ParsePublicKey(v.Public)
		require.NoError(t, err)
		require.Equal(t, id.Public(), public)

		owner := Owner{ID(v.Installation), ID(v.User), id.Fingerprint()}
		passphrase := client.NewSecret(v.Passphrase)
		require.Equal(t, []byte(v.Locked), id.lockWith([16]byte(v.Salt16), [32]byte(v.Salt32), passphrase, owner))
		unlocked, err := Unlock(v.Locked, passphrase, owner)
		require.NoError(t, err)
		require.Equal(t, v.Identity, unlocked.Reveal())
	}
}

func TestKeyringVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Keyrings {
		k := v.keyring(t)
		require.Equal(t, []byte(v.Head), k.Head.Bytes(), v.Name)
		require.Equal(t, v.Anchor, k.Anchor().String())
		for _, r := range v.Recipients {
			o, err := k.Open(identityOf([32]byte(r.Seed)), r.Wrapped)
			require.NoError(t, err, v.Name)
			require.Equal(t, v.BoxKey, o.Key.EncryptionKey().Reveal())
			require.Equal(t, v.KeyID, o.Key.ID().String())
			require.Len(t, o.Earlier, len(v.Earlier))
			for i, each := range v.Earlier {
				require.Equal(t, []byte(each), o.Earlier[i].bytes())
			}
		}
		// Assemble the keyring again from the wrapped keys and the salt of the vector. The result must be equal to the
		// keyring of the vector.
		author := identityOf([32]byte(v.Author))
		o, err := k.Open(author, v.wrappedFor(t, v.Author))
		require.NoError(t, err)
		again, err := assemble(Plan{
			Place:    k.Head.Place,
			Sequence: v.Sequence,
			Key:      o.Key,
			Earlier:  o.Earlier,
			Author:   author,
		}, k.Recipients, func(head []byte) []byte {
			return sealWith([32]byte(v.Salt32), v.Key, chainLabel, head, joinKeys(o.Earlier))
		})
		require.NoError(t, err)
		require.Equal(t, *k, again.Keyring, v.Name)
	}
}

// wrappedFor returns the wrapped key of the recipient whose identity has the given seed.
func (v keyringVector) wrappedFor(t testing.TB, seed octets) []byte {
	t.Helper()
	for _, r := range v.Recipients {
		if bytes.Equal(r.Seed, seed) {
			return r.Wrapped
		}
	}
	require.Fail(t, "the vector has no such recipient")
	return nil
}
