package sealing

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
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
	Comment  string          `json:"comment"`
	Wrapped  []wrapVector    `json:"wrapped_server_keys"`
	Entries  []entryVector   `json:"entries"`
	Accounts []accountVector `json:"accounts"`
}

type wrapVector struct {
	Secret  octets `json:"secret"`
	ID      octets `json:"id"`
	Purpose string `json:"purpose"`
	Nonce   octets `json:"nonce24"`
	Key     octets `json:"key"`
	Wrapped octets `json:"wrapped"`
}

type entryVector struct {
	Name          string `json:"name"`
	EncryptionKey string `json:"x_encryption_key"`
	MemoryKiB     uint32 `json:"m"`
	Time          uint32 `json:"t"`
	Threads       uint8  `json:"p"`
	BoxSalt       octets `json:"boxsalt16"`
	Box           octets `json:"box_id"`
	EntryKey      string `json:"entry_key"`
	SealedAs      uint64 `json:"sealed_as"`
	Version       uint64 `json:"row_version"`
	ServerKeyID   octets `json:"server_key_id"`
	ServerKey     octets `json:"server_key"`
	DEK           octets `json:"dek32"`
	Salt32        octets `json:"salt32"`
	BlobNonce     octets `json:"blob_nonce12"`
	ValueNonce    octets `json:"value_nonce12"`
	OuterNonce    octets `json:"outer_nonce24"`
	Text          string `json:"text"`
	IKM           octets `json:"ikm32"`
	KEK           octets `json:"kek32"`
	Commit        octets `json:"commit32"`
	Envelope      octets `json:"envelope"`
	Value         octets `json:"value"`
}

type accountVector struct {
	KeyID   octets `json:"account_key_id"`
	Key     octets `json:"account_key"`
	Purpose string `json:"purpose"`
	User    octets `json:"user_id"`
	Nonce   octets `json:"nonce24"`
	Text    string `json:"text"`
	Sealed  octets `json:"sealed"`
}

func readVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile(vectorFile)
	require.NoError(t, err)
	var v vectors
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&v))
	require.NotEmpty(t, v.Wrapped)
	require.NotEmpty(t, v.Entries)
	require.NotEmpty(t, v.Accounts)
	return v
}

// ringWith returns a key ring with the given key for a purpose.
func ringWith(t *testing.T, purpose domain.KeyPurpose, id, key []byte) *Keyring {
	t.Helper()
	secret := secretOf(t, 1)
	w, err := newWrapper(secret)
	require.NoError(t, err)
	line := ports.ServerKey{
		ID:         domain.ServerKeyID(id),
		Purpose:    purpose,
		Generation: 1,
		CreatedAt:  start,
	}
	line.Wrapped, err = w.wrap(&stream{}, line.ID, purpose, key)
	require.NoError(t, err)
	k, err := OpenKeyring(t.Context(), config(t, &store{lines: []ports.ServerKey{line}}, secret))
	require.NoError(t, err)
	return k
}

func (v entryVector) place(version uint64) ports.Place {
	return ports.Place{
		Box:      domain.BoxID(v.Box),
		Key:      domain.EntryKey(v.EntryKey),
		Version:  version,
		SealedAs: v.SealedAs,
	}
}

// seal encrypts the text of a vector with the vector's random bytes. It returns the sealer, the cipher and the result.
func (v entryVector) seal(t *testing.T) (*EntrySealer, *entryCipher, ports.SealedValue) {
	t.Helper()
	first := []byte(v.OuterNonce)
	if v.Version != v.SealedAs {
		first = make([]byte, nonce24) // a restore uses a new nonce
	}
	sealer, err := NewEntrySealer(EntryConfig{
		Keys:   ringWith(t, domain.KeyForEntries, v.ServerKeyID, v.ServerKey),
		Derive: (&argon{}).derive,
		Params: ports.Argon2Params{MemoryKiB: v.MemoryKiB, Time: v.Time, Threads: v.Threads},
		Random: bytes.NewReader(bytes.Join([][]byte{v.DEK, v.Salt32, v.BlobNonce, v.ValueNonce, first, v.OuterNonce},
			nil)),
	})
	require.NoError(t, err)
	key, err := domain.ParseEncryptionKey(v.EncryptionKey)
	require.NoError(t, err)
	made, err := sealer.Prepare(t.Context(), key, domain.BoxSalt(v.BoxSalt))
	require.NoError(t, err)
	c := made.(*entryCipher)
	sealed, err := c.Seal(v.place(v.SealedAs), []byte(v.Text))
	require.NoError(t, err)
	if v.Version != v.SealedAs {
		_, sealed.Envelope, err = sealer.Rebind(t.Context(), v.place(v.SealedAs), sealed.Envelope, v.place(v.Version))
		require.NoError(t, err)
	}
	return sealer, c, sealed
}

func TestEntryVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Entries {
		_, c, sealed := v.seal(t)
		require.Equal(t, []byte(v.Envelope), sealed.Envelope, v.Name)
		require.Equal(t, []byte(v.Value), sealed.Value, v.Name)
		require.Equal(t, v.IKM, octets(c.derived[0].ikm[:]), v.Name)
		opened, err := c.Open(v.place(v.Version), ports.SealedValue{
			ServerKey: domain.ServerKeyID(v.ServerKeyID), Envelope: v.Envelope, Value: v.Value,
		})
		require.NoError(t, err, v.Name)
		require.Equal(t, v.Text, string(opened), v.Name)
	}
}

func TestWrapVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Wrapped {
		w, err := newWrapper(Secret{domain.NewSecret(string(v.Secret))})
		require.NoError(t, err)
		id, purpose := domain.ServerKeyID(v.ID), domain.KeyPurpose(v.Purpose)
		wrapped, err := w.wrap(bytes.NewReader(v.Nonce), id, purpose, v.Key)
		require.NoError(t, err)
		require.Equal(t, []byte(v.Wrapped), wrapped)
		key, ok := w.unwrap(id, purpose, v.Wrapped)
		require.True(t, ok)
		require.Equal(t, []byte(v.Key), key[:])
	}
}

func TestAccountVectors(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Accounts {
		s := NewAccountSealer(ringWith(t, domain.KeyForAccounts, v.KeyID, v.Key), bytes.NewReader(v.Nonce))
		id, sealed, err := s.SealAccount(t.Context(), v.Purpose, domain.UserID(v.User), []byte(v.Text))
		require.NoError(t, err)
		require.Equal(t, []byte(v.KeyID), id[:])
		require.Equal(t, []byte(v.Sealed), sealed)
		opened, err := s.OpenAccount(t.Context(), v.Purpose, domain.UserID(v.User), v.Sealed)
		require.NoError(t, err)
		require.Equal(t, v.Text, string(opened))
	}
}
