package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Refresh exchanges a refresh token for the next token pair of the same family. It revokes the pair of the refresh
// token immediately. Errors: Unauthenticated with code refresh_token_not_found when the token is unknown, used, expired
// or revoked; RateLimited after too many unknown tokens from an address.
//
// A second use of a refresh token means that the token was copied. The server cannot know whether the attacker was
// first or second, so the second use revokes the whole family, without a grace period.
func (s Accounts) Refresh(ctx context.Context, by domain.Requester, refreshToken string) (TokenPair, error) {
	token, ok := domain.ParseOpaqueToken(refreshToken)
	if !ok {
		// A malformed token is counted like an unknown token.
		return TokenPair{}, s.refuseRefresh(ctx, by)
	}
	var pair TokenPair
	var refused error
	err := s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		pair, refused, err = s.refreshLocked(ctx, repos, by, token)
		return err
	})
	switch {
	case errors.Is(err, domain.NotFound):
		return TokenPair{}, s.refuseRefresh(ctx, by)
	case err != nil:
		return TokenPair{}, err
	}
	return pair, refused
}

// refreshLocked marks the pair of the token as used and stores the next pair. For a token that was used before, it
// instead revokes the family and appends the audit event.
//
// If refreshLocked refuses the token, the result named refused is the error, and err is nil. The transaction must
// commit in this case, because a rollback would undo the revocation of the family, or would make the token usable
// again.
func (s *core) refreshLocked(ctx context.Context, repos ports.Repos, by domain.Requester,
	token domain.OpaqueToken) (next TokenPair, refused, err error) {
	digests, _ := s.config.TokenDigests.Tokens(token)
	family, pair, err := repos.TokenFamilies.LockByRefresh(ctx, token.User(), digests[0])
	if err != nil {
		return TokenPair{}, nil, err
	}
	user, err := repos.Users.ByID(ctx, family.User)
	if err != nil {
		return TokenPair{}, nil, err
	}
	now := s.clock.Now()
	event := s.gate.Event(domain.ActionRefresh, by,
		domain.Caller{UserID: user.ID, Name: user.Name, Credential: domain.Credential{ID: pair.ID}})
	if !pair.SpentAt.IsZero() {
		// gate.Refused would write the event in another transaction. The event and the revocation must be committed
		// together.
		if err := repos.TokenFamilies.Revoke(ctx, family.ID, now); err != nil {
			return TokenPair{}, nil, err
		}
		return TokenPair{}, domain.ErrRefreshToken, repos.Events.Append(ctx, event.Ended(domain.OutcomeDenied))
	}
	if err := repos.TokenFamilies.Spend(ctx, pair.ID, now); err != nil {
		return TokenPair{}, nil, err
	}
	next, stored, err := s.newTokenPair(family, user)
	if errors.Is(err, domain.ErrRefreshToken) {
		// The family has expired or was revoked, or the user's sessions were revoked. The pair stays used.
		return TokenPair{}, err, nil
	}
	if err != nil {
		return TokenPair{}, nil, err
	}
	if err := repos.TokenFamilies.AddPair(ctx, stored); err != nil {
		return TokenPair{}, nil, err
	}
	return next, nil, repos.Events.Append(ctx, event)
}

// refuseRefresh counts an unknown token as an attempt of the address, and audits the refusal. A token has 256 random
// bits and cannot be guessed, but the number of attempts must be limited nevertheless. A valid token is accepted even
// during a lockout of the address.
func (s *core) refuseRefresh(ctx context.Context, by domain.Requester) error {
	if _, err := s.gate.ReserveAddress(ctx, by, domain.ActionRefresh); err != nil {
		return err
	}
	return s.gate.Refused(ctx, s.gate.Event(domain.ActionRefresh, by, domain.Caller{}), domain.ErrRefreshToken)
}
