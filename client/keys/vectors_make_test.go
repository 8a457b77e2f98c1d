package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// stream returns bytes that look random and are the same on every run.
type stream struct{ drawn uint64 }

func (s *stream) take(n int) octets {
	var out []byte
	for len(out) < n {
		block := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("lockbox keyring vectors"), s.drawn))
		s.drawn++
		out = append(out, block[:]...)
	}
	return out[:n]
}

// TestMakeVectors writes the vectors if the flag -update is set. It is not parallel, so it completes before the
// parallel tests read the file.
func TestMakeVectors(t *testing.T) {
	if !*update {
		return
	}
	random := &stream{}
	v := vectors{Comment: "What the package comment describes. Bytes are in hexadecimal, texts are UTF-8."}
	for _, passphrase := range []string{"abandon-ability-able-about-above-absent", "grüße aus Köln"} {
		each := identityVector{
			Seed:         random.take(32),
			Passphrase:   passphrase,
			Installation: random.take(16),
			User:         random.take(16),
			Salt16:       random.take(16),
			Salt32:       random.take(32),
		}
		each.fill(t)
		v.Identities = append(v.Identities, each)
	}
	for _, shape := range []struct {
		name                string
		mode                byte
		sequence            uint64
		recipients, earlier int
	}{
		{"the first keyring of a box", 0, 1, 1, 0},
		{"three recipients and two earlier keys", 0, 258, 3, 2},
		{"client encryption", 1, 1 << 40, 2, 1},
	} {
		v.Keyrings = append(v.Keyrings, makeKeyring(t, random, keyringVector{
			Name:     shape.name,
			Mode:     shape.mode,
			Sequence: shape.sequence,
		}, shape.recipients, shape.earlier))
	}
	text, err := json.MarshalIndent(v, "", "  ")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(vectorFile, append(text, '\n'), 0o600))
}

func makeKeyring(t *testing.T, random *stream, v keyringVector, recipients, earlier int) keyringVector {
	t.Helper()
	v.Installation, v.Box, v.Key, v.Salt32 = random.take(16), random.take(16), random.take(32), random.take(32)
	v.Earlier = []octets{}
	for range earlier {
		v.Earlier = append(v.Earlier, random.take(32))
	}
	for range recipients {
		v.Recipients = append(v.Recipients,
			recipientVector{User: random.take(16), Seed: random.take(32), Random: random.take(64)})
	}
	v.Author = v.Recipients[0].Seed
	slices.SortFunc(v.Recipients, func(a, b recipientVector) int {
		first, second := apartIdentityOf(t, a.Seed).fingerprint, apartIdentityOf(t, b.Seed).fingerprint
		return bytes.Compare(first[:], second[:])
	})
	v.fill(t)
	return v
}
