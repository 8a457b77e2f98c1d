package sealing

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestManifestVector pins the format of the authentication code with a value that Python's hmac module computed.
func TestManifestVector(t *testing.T) {
	t.Parallel()
	code, err := NewManifestAuthenticator(manifestSecret(0)).Code([]byte(`{"format":1}`))
	require.NoError(t, err)
	require.Equal(t, "e9e897db0349b0fdb25cb50126f550a596e3abc51d37dddda372f1c5a1ec5963", hex.EncodeToString(code))
}

// TestManifestCode verifies that Authentic accepts a code only with the secret that computed it. It also changes each
// byte of the manifest and of the code, and Authentic must then return false.
func TestManifestCode(t *testing.T) {
	t.Parallel()
	manifest := []byte(`{"format":1,"file":"a.dump"}`)
	authenticator := NewManifestAuthenticator(manifestSecret(1))
	code, err := authenticator.Code(manifest)
	require.NoError(t, err)
	require.True(t, authenticator.Authentic(manifest, code))
	require.False(t, NewManifestAuthenticator(manifestSecret(2)).Authentic(manifest, code))
	require.False(t, NewManifestAuthenticator(Secret{}).Authentic(manifest, code))
	for i := range manifest {
		changed := bytes.Clone(manifest)
		changed[i] ^= 1
		require.False(t, authenticator.Authentic(changed, code), "byte %d of the manifest", i)
	}
	for i := range code {
		changed := bytes.Clone(code)
		changed[i] ^= 1
		require.False(t, authenticator.Authentic(manifest, changed), "byte %d of the code", i)
	}
	for _, short := range [][]byte{nil, code[:len(code)-1], append(bytes.Clone(code), 0)} {
		require.False(t, authenticator.Authentic(manifest, short))
	}
}

// manifestSecret returns a secret of 32 equal bytes.
func manifestSecret(value byte) Secret {
	return Secret{domain.NewSecret(string(bytes.Repeat([]byte{value}, minSecretBytes)))}
}
