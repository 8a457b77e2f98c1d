package sealing

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// TestTokenDigestFormat computes each digest from the bytes that SECURITY.md specifies.
func TestTokenDigestFormat(t *testing.T) {
	t.Parallel()
	keys := newRig(t).keys
	digests := NewTokenDigests(keys)
	session, _ := keys.Current(domain.KeyForSessions)
	id, key := keys.Current(domain.KeyForTokens)
	want := func(parts ...[]byte) domain.Digest {
		var message []byte
		for _, part := range parts {
			message = append(append(message, 0, 0, 0, byte(len(part))), part...)
		}
		mac := hmac.New(sha256.New, key[:])
		_, _ = mac.Write(message)
		return domain.Digest(mac.Sum(nil))
	}
	token := domain.OpaqueToken(slices.Repeat([]byte{7}, 32))
	hash := sha256.Sum256(token[:])
	got, used := digests.Tokens(token)
	require.Equal(t, domain.TokenKeys{Session: session, Token: id}, used)
	require.Equal(t, []domain.Digest{want([]byte("opaque token"), session[:], hash[:])}, got)

	user, secret := domain.UserID{1}, domain.TOTPID{2}
	codes := digests.RecoveryCodes(user, secret, hash)
	require.Equal(t, id, codes.ServerKey)
	require.Equal(t, []domain.Digest{want([]byte("recovery code"), user[:], secret[:], hash[:])}, codes.Digests)

	proof, signedBy := digests.Invitation("a", "bc")
	require.Equal(t, id, signedBy)
	require.Equal(t, want([]byte("invitation"), []byte("a"), []byte("bc")), proof)
}
