package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ShowTOTP returns what a user needs to make one-time codes; for the owner, who hands it on. It makes the secret where
// there is none, and shows it until the first code was accepted. Forbidden with code totp_secret_hidden afterwards, and
// for one that its user enrolled.
func (s Accounts) ShowTOTP(ctx context.Context, by domain.Requester, username string) (ports.Enrolment, error) {
	if _, err := s.inGroup(ctx, s.Store.Read(), by, domain.GroupOwner); err != nil {
		return ports.Enrolment{}, err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return ports.Enrolment{}, domain.ErrUserNotFound
	}
	fresh, err := s.Codes.NewSecret()
	if err != nil {
		return ports.Enrolment{}, err
	}
	defer fresh.Clear()
	var user domain.User
	var stored ports.SealedTOTPSecret
	err = s.Store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		if user, err = repos.Users.Lock(ctx, name); err != nil {
			return err
		}
		caller, err := s.inGroup(ctx, repos, by, domain.GroupOwner)
		if err != nil {
			return err
		}
		if stored, err = s.shownCode(ctx, repos, user, fresh); err != nil {
			return err
		}
		return repos.Events.Append(ctx, s.event(domain.ActionShowTOTP, by, caller).To(string(user.Name)))
	})
	if err != nil {
		return ports.Enrolment{}, err
	}
	return s.enrolment(ctx, user, stored)
}

// shownCode returns the code in force if it may be shown, having made it from fresh first where there is none.
func (s *core) shownCode(ctx context.Context, repos ports.Repos, user domain.User,
	fresh domain.Secret) (ports.SealedTOTPSecret, error) {
	stored, err := repos.TOTPSecrets.Get(ctx, user.ID, false)
	if err == nil {
		return stored, stored.Code.Showable()
	}
	if !errors.Is(err, domain.NotFound) {
		return ports.SealedTOTPSecret{}, err
	}
	return s.putCode(ctx, repos, domain.TOTPSecret{ID: s.IDs.New(), User: user.ID, CreatedAt: s.Clock.Now()}, fresh,
		nil)
}

// putCode stores a new code.
func (s *core) putCode(ctx context.Context, repos ports.Repos, code domain.TOTPSecret, secret domain.Secret,
	recovery []domain.Digest) (ports.SealedTOTPSecret, error) {
	stored, err := s.sealCode(ctx, code, secret)
	if err != nil {
		return ports.SealedTOTPSecret{}, err
	}
	return stored, repos.TOTPSecrets.Put(ctx, stored, recovery)
}

// enrolment opens a stored secret to show it.
func (s *core) enrolment(ctx context.Context, user domain.User, stored ports.SealedTOTPSecret) (ports.Enrolment,
	error) {
	opened, err := s.Sealer.OpenAccount(ctx, ports.TOTPPurpose, user.ID, stored.Sealed)
	if err != nil {
		return ports.Enrolment{}, err
	}
	secret := domain.NewSecret(string(opened))
	clear(opened)
	defer secret.Clear()
	return s.Codes.Enrolment(secret, user.Spelling)
}
