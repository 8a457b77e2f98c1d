package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// Refresh spends a refresh token for the next pair of its family; the pair before it is dead at once. Unauthenticated
// with code refresh_token_not_found when the token is unknown, spent, expired or revoked. One that was spent before has
// been stolen, from its user or by him: it ends the whole family, without grace. RateLimited after too many that nobody
// has.
func (s Accounts) Refresh(ctx context.Context, by domain.Requester, refreshToken string) (TokenPair, error) {
	token, ok := domain.ParseOpaqueToken(refreshToken)
	if !ok {
		return TokenPair{}, s.refuseRefresh(ctx, by)
	}
	var made TokenPair
	var refused error
	err := s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		made, refused, err = s.refreshLocked(ctx, repos, by, token)
		return err
	})
	switch {
	case errors.Is(err, domain.NotFound):
		return TokenPair{}, s.refuseRefresh(ctx, by)
	case err != nil:
		return TokenPair{}, err
	}
	return made, refused
}

// refreshLocked returns a refusal apart from an error, because what it found out about the family is committed.
func (s *core) refreshLocked(ctx context.Context, repos ports.Repos, by domain.Requester,
	token domain.OpaqueToken) (made TokenPair, refused, err error) {
	family, pair, err := repos.TokenFamilies.LockByRefresh(ctx, token.Digest())
	if err != nil {
		return TokenPair{}, nil, err
	}
	user, err := repos.Users.ByID(ctx, family.User)
	if err != nil {
		return TokenPair{}, nil, err
	}
	now := s.Clock.Now()
	event := s.event(domain.ActionRefresh, by,
		domain.Caller{UserID: user.ID, Name: user.Name, Credential: domain.Credential{ID: pair.ID}})
	if !pair.SpentAt.IsZero() {
		if err := repos.TokenFamilies.Revoke(ctx, family.ID, now); err != nil {
			return TokenPair{}, nil, err
		}
		return TokenPair{}, domain.ErrRefreshToken, repos.Events.Append(ctx, event.Ended(domain.OutcomeDenied))
	}
	if err := repos.TokenFamilies.Spend(ctx, pair.ID, now); err != nil {
		return TokenPair{}, nil, err
	}
	if _, err := s.nextPair(ctx, repos, family, user, &made); errors.Is(err, domain.ErrRefreshToken) {
		return TokenPair{}, err, nil
	} else if err != nil {
		return TokenPair{}, nil, err
	}
	return made, nil, repos.Events.Append(ctx, event)
}

// refuseRefresh counts a token that nobody has against the address. There is nothing to guess among 256 random bits,
// but what is guessed all the same shall not be free; a token that somebody has is served whatever was guessed.
func (s *core) refuseRefresh(ctx context.Context, by domain.Requester) error {
	if _, err := s.reserveAddress(ctx, by, domain.ActionRefresh); err != nil {
		return err
	}
	return s.denied(ctx, s.event(domain.ActionRefresh, by, domain.Caller{}), domain.ErrRefreshToken)
}
