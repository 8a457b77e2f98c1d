package tokens

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

var _ ports.Tokens = (*Signer)(nil)

// ring has two keys of each kind. The second key is current; the first key still verifies tokens.
type ring struct{ down error }

var (
	oldAPIKey, newAPIKey   = domain.ServerKeyID{0xa1}, domain.ServerKeyID{0xa2}
	oldSession, newSession = domain.ServerKeyID{0xb1}, domain.ServerKeyID{0xb2}
)

func (ring) Current(purpose domain.KeyPurpose) (domain.ServerKeyID, [32]byte) {
	id := map[domain.KeyPurpose]domain.ServerKeyID{
		domain.KeyForAPIKeys: newAPIKey, domain.KeyForSessions: newSession,
	}[purpose]
	return id, keyFor(id)
}

func (r ring) ByID(_ context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([32]byte, error) {
	known := map[domain.ServerKeyID]domain.KeyPurpose{
		oldAPIKey:  domain.KeyForAPIKeys,
		newAPIKey:  domain.KeyForAPIKeys,
		oldSession: domain.KeyForSessions,
		newSession: domain.KeyForSessions,
	}
	if r.down != nil {
		return [32]byte{}, r.down
	}
	if known[id] != purpose {
		return [32]byte{}, domain.NotFound
	}
	return keyFor(id), nil
}

func keyFor(id domain.ServerKeyID) (key [32]byte) {
	copy(key[:], "a key for tests "+string(id[:1]))
	return key
}

type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

var (
	issued  = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	expires = issued.Add(time.Hour)
	user    = domain.UserID{0xdd, 1}
	apiKey  = domain.Credential{Kind: domain.APIKeyCredential, ID: domain.CredentialID{0xcc, 1}, User: user}
	session = domain.Credential{Kind: domain.SessionCredential, ID: domain.CredentialID{0xcc, 2}, User: user}
)

const installation = "018f0000-0000-7000-8000-000000000001"

func signer(t testing.TB) (*Signer, *clock) {
	t.Helper()
	now := &clock{issued}
	s, err := New(Config{Keys: ring{}, Clock: now, Installation: installation})
	require.NoError(t, err)
	return s, now
}

func mint(t testing.TB, s *Signer, of domain.Credential, expires time.Time) string {
	t.Helper()
	token, _, err := s.Mint(t.Context(), ports.TokenClaims{Credential: of, IssuedAt: issued, ExpiresAt: expires})
	require.NoError(t, err)
	return token
}

func TestMintAndVerify(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		of      domain.Credential
		expires time.Time
		key     domain.ServerKeyID
	}{
		{apiKey, time.Time{}, newAPIKey}, {apiKey, expires, newAPIKey}, {session, expires, newSession},
	} {
		s, now := signer(t)
		claims := ports.TokenClaims{Credential: test.of, IssuedAt: issued, ExpiresAt: test.expires}
		token, key, err := s.Mint(t.Context(), claims)
		require.NoError(t, err)
		require.Equal(t, test.key, key)
		require.Less(t, len(token), 600)

		again, err := s.MintUnder(t.Context(), key, claims)
		require.NoError(t, err)
		require.Equal(t, token, again, "the same claims under the same key are the same token")

		got, err := s.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, test.of, got)

		now.now = expires.Add(-time.Second)
		_, err = s.Verify(t.Context(), token)
		require.NoError(t, err)
		now.now = expires
		_, err = s.Verify(t.Context(), token)
		if test.expires.IsZero() {
			require.NoError(t, err, "it never ends")
		} else {
			refused(t, err, errExpired)
		}
		got, err = s.Identify(t.Context(), token)
		require.NoError(t, err, "Identify accepts expired tokens")
		require.Equal(t, test.of, got)
	}
}

// TestPinned verifies the format of tokens byte for byte, because issued tokens must stay valid in later releases.
func TestPinned(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	require.Equal(t, pinnedAPIKey, mint(t, s, apiKey, time.Time{}))
	require.Equal(t, pinnedSession, mint(t, s, session, expires))
}

func TestMintUnder(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	claims := ports.TokenClaims{Credential: apiKey, IssuedAt: issued}
	token, err := s.MintUnder(t.Context(), oldAPIKey, claims)
	require.NoError(t, err)
	require.NotEqual(t, mint(t, s, apiKey, time.Time{}), token)
	got, err := s.Verify(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, apiKey, got)
	for _, key := range []domain.ServerKeyID{{0xff}, newSession} {
		_, err = s.MintUnder(t.Context(), key, claims)
		require.ErrorIs(t, err, domain.NotFound)
	}
}

func TestMintRefuses(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	for name, claims := range map[string]ports.TokenClaims{
		"nothing": {},
		"an unknown kind": {Credential: domain.Credential{Kind: "x", ID: apiKey.ID, User: user},
			IssuedAt: issued},
		"no id": {Credential: domain.Credential{Kind: apiKey.Kind, User: user}, IssuedAt: issued},
		"no user": {Credential: domain.Credential{Kind: apiKey.Kind, ID: apiKey.ID},
			IssuedAt: issued},
		"no time of issue":          {Credential: apiKey},
		"a session without its end": {Credential: session, IssuedAt: issued},
	} {
		token, _, err := s.Mint(t.Context(), claims)
		require.Error(t, err, name)
		require.Empty(t, token, name)
		_, err = s.MintUnder(t.Context(), newAPIKey, claims)
		require.Error(t, err, name)
	}
	for _, config := range []Config{{}, {Keys: ring{}, Clock: &clock{}}, {Keys: ring{}, Installation: "x"}} {
		_, err := New(config)
		require.Error(t, err)
	}
}

// refused checks that err is ErrUnauthenticated with the expected cause.
func refused(t testing.TB, err, cause error, what ...any) {
	t.Helper()
	require.ErrorIs(t, err, domain.Unauthenticated, what...)
	require.ErrorIs(t, err, cause, what...)
	require.Equal(t, domain.ErrUnauthenticated.Code, domain.CodeOf(err), what...)
	require.Equal(t, domain.Unauthenticated, domain.KindOf(err), what...)
	require.Nil(t, domain.ErrUnauthenticated.Cause, what...)
}

// TestDatabaseErrorIsNotUnauthenticated verifies that a valid token is not reported as invalid while the database is
// down.
func TestDatabaseErrorIsNotUnauthenticated(t *testing.T) {
	t.Parallel()
	down := domain.Refuse(domain.Unavailable, "database_unavailable", "down")
	s, err := New(Config{Keys: ring{down: down}, Clock: &clock{issued}, Installation: installation})
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), pinnedAPIKey)
	require.ErrorIs(t, err, domain.Unavailable)
	require.NotErrorIs(t, err, domain.Unauthenticated)
	_, err = s.MintUnder(t.Context(), newAPIKey, ports.TokenClaims{Credential: apiKey, IssuedAt: issued})
	require.ErrorIs(t, err, domain.Unavailable)
}

// TestForgedKeyIDsAreRefused verifies that Verify returns an Unauthenticated error when the key ring returns ErrBusy.
// The key ring returns ErrBusy while it limits lookups of unknown key ids.
func TestForgedKeyIDsAreRefused(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Keys: ring{down: domain.ErrBusy.Because(errors.New("just now"))}, Clock: &clock{issued},
		Installation: installation})
	require.NoError(t, err)
	_, err = s.Verify(t.Context(), pinnedAPIKey)
	require.ErrorIs(t, err, domain.Unauthenticated)
	require.NotErrorIs(t, err, domain.Unavailable)
}

func BenchmarkVerify(b *testing.B) {
	s, _ := signer(b)
	token := mint(b, s, apiKey, expires)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	s, _ := signer(f)
	good := map[string]bool{pinnedAPIKey: true, pinnedSession: true}
	for token := range good {
		f.Add(token)
		f.Add(token + ".")
		f.Add(token[:len(token)-1])
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(strings.Repeat(".", 5000))
	f.Fuzz(func(t *testing.T, token string) {
		for _, read := range []func(context.Context, string) (domain.Credential, error){s.Verify, s.Identify} {
			got, err := read(t.Context(), token)
			if good[token] {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, domain.Unauthenticated)
			require.Zero(t, got)
		}
	})
}

func claimsOf(of domain.Credential) ports.TokenClaims {
	return ports.TokenClaims{Credential: of, IssuedAt: issued, ExpiresAt: expires}
}

const (
	pinnedAPIKey = "" +
		"eyJhbGciOiJIUzUxMiIsImtpZCI6ImEyMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCIsInR5cCI6IkpXVCJ9.eyJ" +
		"qdGkiOiJjYzAxMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiLCJpc3MiOiIwMThmMDAwMC0wMDAwLTcwMDAtODAwMC0" +
		"wMDAwMDAwMDAwMDEiLCJhdWQiOiJsb2NrYm94L2FwaS1rZXkiLCJzdWIiOiJkZDAxMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDA" +
		"wMDAwMDAiLCJpYXQiOjE3NjczMjMwNDV9.f_585xsIccT6uXlfG_cH9YfyZviitM4yhjncqnvUthqieuKHZcD3BSCqvlBwyAX9-f" +
		"_wbyb9XKbOpkNIMdOG3w"
	pinnedSession = "" +
		"eyJhbGciOiJIUzUxMiIsImtpZCI6ImIyMDAwMDAwLTAwMDAtMDAwMC0wMDAwLTAwMDAwMDAwMDAwMCIsInR5cCI6IkpXVCJ9.eyJ" +
		"qdGkiOiJjYzAyMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiLCJpc3MiOiIwMThmMDAwMC0wMDAwLTcwMDAtODAwMC0" +
		"wMDAwMDAwMDAwMDEiLCJhdWQiOiJsb2NrYm94L3Nlc3Npb24iLCJzdWIiOiJkZDAxMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDA" +
		"wMDAwMDAiLCJpYXQiOjE3NjczMjMwNDUsImV4cCI6MTc2NzMyNjY0NX0._TfTkgl0-Ju3nv1PcRGsKouRRcJ0joogVuyaei8MCZY" +
		"2bt33ZvSRldJyPk_VXzteOo5XsRaRsA-xHU07xatJTg"
)
