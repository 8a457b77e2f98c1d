package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/ports"
)

// ShowTOTP returns a user's TOTP secret for an authenticator app. Only the owner may call it. The owner passes the
// secret on to the user. ShowTOTP creates a secret if the user has none. It returns an error of kind Forbidden with
// code totp_secret_hidden if a code of the secret was already accepted, or if the user enrolled the secret.
func (s Accounts) ShowTOTP(ctx context.Context, by domain.Requester, username string) (ports.Enrolment, error) {
	if _, err := s.gate.InGroup(ctx, s.store.Read(), by, domain.GroupOwner); err != nil {
		return ports.Enrolment{}, err
	}
	name, err := domain.ParseUserName(username)
	if err != nil {
		return ports.Enrolment{}, domain.ErrUserNotFound
	}
	// Generate the secret outside the transaction, because the transaction may run several times. The new secret is not
	// used if the user already has a secret.
	fresh, err := s.config.TOTP.NewSecret()
	if err != nil {
		return ports.Enrolment{}, err
	}
	defer fresh.Clear()
	var user domain.User
	var stored ports.SealedTOTPSecret
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		var err error
		if user, err = repos.Users.Lock(ctx, name); err != nil {
			return err
		}
		// Authorise the caller again, now under the lock.
		caller, err := s.gate.InGroup(ctx, repos, by, domain.GroupOwner)
		if err != nil {
			return err
		}
		changes, err := watchTOTP(ctx, repos, user.ID, totpUse{}, func() error {
			stored, err = s.showableTOTP(ctx, repos, user.ID, fresh)
			return err
		})
		if err != nil {
			return err
		}
		event := s.gate.Event(domain.ActionShowTOTP, by, caller).To(string(user.Name))
		return repos.Events.Append(ctx, event.Changed(changes...))
	})
	if err != nil {
		return ports.Enrolment{}, err
	}
	return s.enrolment(ctx, user, stored)
}

// showableTOTP returns the user's secret if the owner may see it. If the user has no secret, showableTOTP stores the
// argument "fresh" as the user's secret, and returns this secret.
func (s *core) showableTOTP(ctx context.Context, repos ports.Repos, user domain.UserID,
	fresh domain.Secret) (ports.SealedTOTPSecret, error) {
	stored, err := repos.TOTPSecrets.Get(ctx, user, false)
	switch {
	case err == nil:
		return stored, stored.Code.Showable()
	case errors.Is(err, domain.NotFound):
		return s.putUnconfirmedTOTP(ctx, repos, user, fresh)
	}
	return ports.SealedTOTPSecret{}, err
}
