package contracts

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// TokensFixture holds an implementation of ports.Tokens, and the data and functions that the tests need.
type TokensFixture struct {
	Tokens ports.Tokens
	// SetTime sets the clock of Tokens.
	SetTime func(now time.Time)
	// Older contains the identifier of an older server key for each kind of credential. These keys are no longer
	// current, but are not retired.
	Older map[domain.CredentialKind]domain.ServerKeyID
	// Elsewhere has the server keys of Tokens, but issues tokens for another installation.
	Elsewhere ports.Tokens
}

// Tokens is the suite of ports.Tokens.
func Tokens(t *testing.T, open func(t *testing.T) TokensFixture) {
	t.Helper()
	run(t, open, map[string]func(*testing.T, TokensFixture){
		"Deterministic": tokensAreDeterministic,
		"Expiry":        tokensExpire,
		"OlderKeys":     tokensOfOlderKeys,
		"Signature":     tokensAreSigned,
		"Issuer":        tokensNameTheirIssuer,
	})
}

var tokenIssued = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// tokenClaims returns the claims of one token of each kind. The tokens expire an hour after tokenIssued.
func tokenClaims() []ports.TokenClaims {
	var all []ports.TokenClaims
	for _, kind := range []domain.CredentialKind{domain.APIKeyCredential, domain.SessionCredential} {
		all = append(all, ports.TokenClaims{
			Credential: domain.Credential{Kind: kind, ID: domain.CredentialID{1, 2}, User: domain.UserID{3, 4}},
			IssuedAt:   tokenIssued,
			ExpiresAt:  tokenIssued.Add(time.Hour),
		})
	}
	return all
}

func mint(t *testing.T, tokens ports.Tokens, claims ports.TokenClaims) string {
	t.Helper()
	token, _, err := tokens.Mint(t.Context(), claims)
	require.NoError(t, err)
	return token
}

func tokensAreDeterministic(t *testing.T, f TokensFixture) {
	for _, claims := range tokenClaims() {
		token, key, err := f.Tokens.Mint(t.Context(), claims)
		require.NoError(t, err)
		require.Equal(t, token, mint(t, f.Tokens, claims))
		f.SetTime(tokenIssued.Add(time.Minute))
		again, err := f.Tokens.MintUnder(t.Context(), key, claims)
		require.NoError(t, err)
		require.Equal(t, token, again)

		other := claims
		other.Credential.ID[15]++
		require.NotEqual(t, token, mint(t, f.Tokens, other))
	}
}

func tokensExpire(t *testing.T, f TokensFixture) {
	for _, claims := range tokenClaims() {
		token := mint(t, f.Tokens, claims)
		for after, valid := range map[time.Duration]bool{0: true, time.Hour - time.Second: true, time.Hour: false} {
			f.SetTime(tokenIssued.Add(after))
			credential, err := f.Tokens.Verify(t.Context(), token)
			if valid {
				require.NoError(t, err)
				require.Equal(t, claims.Credential, credential)
			} else {
				require.ErrorIs(t, err, domain.Unauthenticated)
				require.Zero(t, credential)
			}
			credential, err = f.Tokens.Identify(t.Context(), token)
			require.NoError(t, err)
			require.Equal(t, claims.Credential, credential)
		}
	}
	lasting := tokenClaims()[0]
	lasting.ExpiresAt = time.Time{}
	f.SetTime(tokenIssued.AddDate(100, 0, 0))
	credential, err := f.Tokens.Verify(t.Context(), mint(t, f.Tokens, lasting))
	require.NoError(t, err, "a zero expiry means never")
	require.Equal(t, lasting.Credential, credential)
}

func tokensOfOlderKeys(t *testing.T, f TokensFixture) {
	for _, claims := range tokenClaims() {
		token, err := f.Tokens.MintUnder(t.Context(), f.Older[claims.Credential.Kind], claims)
		require.NoError(t, err)
		require.NotEqual(t, mint(t, f.Tokens, claims), token)
		credential, err := f.Tokens.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, claims.Credential, credential)
		_, err = f.Tokens.MintUnder(t.Context(), domain.ServerKeyID{0xff}, claims)
		require.ErrorIs(t, err, domain.NotFound)
	}
}

// requireNoToken requires that Verify and Identify refuse the given text.
func (f TokensFixture) requireNoToken(t *testing.T, text string) {
	t.Helper()
	for _, verify := range []func(string) (domain.Credential, error){
		func(text string) (domain.Credential, error) { return f.Tokens.Verify(t.Context(), text) },
		func(text string) (domain.Credential, error) { return f.Tokens.Identify(t.Context(), text) },
	} {
		credential, err := verify(text)
		require.ErrorIs(t, err, domain.Unauthenticated)
		require.Zero(t, credential)
	}
}

func tokensAreSigned(t *testing.T, f TokensFixture) {
	for _, claims := range tokenClaims() {
		token := mint(t, f.Tokens, claims)
		for i := range token {
			for _, changed := range []byte{'A', 'b'} {
				if token[i] != changed {
					f.requireNoToken(t, token[:i]+string(changed)+token[i+1:])
				}
			}
		}
		for _, text := range []string{"", "token", token[:len(token)-1], token + "A", " " + token, token + "\n",
			strings.ToUpper(token)} {
			f.requireNoToken(t, text)
		}
	}
}

func tokensNameTheirIssuer(t *testing.T, f TokensFixture) {
	for _, claims := range tokenClaims() {
		f.requireNoToken(t, mint(t, f.Elsewhere, claims))
	}
}
