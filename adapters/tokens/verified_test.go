package tokens

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/lockbox-go/lockbox/domain"
)

// changingRing is a ring. If err is set, its method ByID returns err.
type changingRing struct {
	ring
	err error
}

func (r *changingRing) ByID(ctx context.Context, purpose domain.KeyPurpose, id domain.ServerKeyID) ([32]byte, error) {
	if r.err != nil {
		return [32]byte{}, r.err
	}
	return r.ring.ByID(ctx, purpose, id)
}

// TestVerifiedTokens verifies that a remembered token is refused after it has expired, after its key is retired, and
// while its key cannot be looked up. Each error is the same as for a token that is not remembered.
func TestVerifiedTokens(t *testing.T) {
	t.Parallel()
	down := errors.New("the database is down")
	for name, test := range map[string]struct {
		after   time.Duration
		keys    error
		refused bool // with Unauthenticated
		err     error
	}{
		"unchanged":            {},
		"just before expiry":   {after: time.Hour - time.Nanosecond},
		"at expiry":            {after: time.Hour, refused: true, err: errExpired},
		"long after expiry":    {after: time.Hour * 99, refused: true, err: errExpired},
		"key retired":          {keys: domain.NotFound, refused: true, err: errKey},
		"key lookups limited":  {keys: domain.ErrBusy, refused: true, err: errKeyLookup},
		"key ring unavailable": {keys: down, err: down},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, of := range []domain.Credential{apiKey, session} {
				keys, now := &changingRing{}, &clock{issued}
				s, err := New(Config{Keys: keys, Clock: now, Installation: installation})
				require.NoError(t, err)
				token := mint(t, s, of, expires)
				for range 2 {
					credential, err := s.Verify(t.Context(), token)
					require.NoError(t, err)
					require.Equal(t, of, credential)
				}
				now.now, keys.err = issued.Add(test.after), test.keys
				credential, err := s.Verify(t.Context(), token)
				if test.err == nil {
					require.NoError(t, err)
					require.Equal(t, of, credential)
					continue
				}
				require.ErrorIs(t, err, test.err)
				require.Equal(t, test.refused, errors.Is(err, domain.Unauthenticated))
				require.Zero(t, credential)
			}
		})
	}
}

// TestVerifiedTokenDoesNotCoverOthers verifies that a token that differs in one character from a remembered token is
// verified again.
func TestVerifiedTokenDoesNotCoverOthers(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	token := mint(t, s, session, expires)
	_, err := s.Verify(t.Context(), token)
	require.NoError(t, err)
	for i := range token {
		other := "A"
		if token[i] == 'A' {
			other = "B"
		}
		_, err := s.Verify(t.Context(), token[:i]+other+token[i+1:])
		require.ErrorIs(t, err, domain.Unauthenticated, "character %d", i)
	}
	for _, changed := range []string{token + "A", token[:len(token)-1], " " + token, strings.ToUpper(token)} {
		_, err := s.Verify(t.Context(), changed)
		require.ErrorIs(t, err, domain.Unauthenticated)
	}
}

// TestVerifiedTokensAreBounded verifies that a Signer remembers at most maxVerified tokens, and that a token stays
// valid after the Signer has forgotten it.
func TestVerifiedTokensAreBounded(t *testing.T) {
	t.Parallel()
	s, _ := signer(t)
	token := mint(t, s, apiKey, time.Time{})
	for i := range 3 * maxVerified {
		s.verified.add(tokenDigest{byte(i), byte(i >> 8)}, verifiedToken{})
		require.LessOrEqual(t, len(s.verified.items), maxVerified)
	}
	for range 2 {
		credential, err := s.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, apiKey, credential)
	}
}
