package tokens

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/adapters/sealing"
	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/tests/contracts"
)

// The server's key ring and the key ring of these tests implement Keys.
var (
	_ Keys = (*sealing.Keyring)(nil)
	_ Keys = ring{}
)

// TestContract runs the conformance suite of ports.Tokens.
func TestContract(t *testing.T) {
	t.Parallel()
	contracts.Tokens(t, func(t *testing.T) contracts.TokensFixture {
		s, now := signer(t)
		elsewhere, err := New(Config{Keys: ring{}, Clock: now, Installation: "018f0000-0000-7000-8000-000000000002"})
		require.NoError(t, err)
		return contracts.TokensFixture{
			Tokens:  s,
			SetTime: func(at time.Time) { now.now = at },
			Older: map[domain.CredentialKind]domain.ServerKeyID{
				domain.APIKeyCredential: oldAPIKey, domain.SessionCredential: oldSession,
			},
			Elsewhere: elsewhere,
		}
	})
}
