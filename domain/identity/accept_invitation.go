package identity

import (
	"context"
	"errors"

	"github.com/lockbox-go/lockbox/domain"
	"github.com/lockbox-go/lockbox/domain/gate"
	"github.com/lockbox-go/lockbox/ports"
)

// AcceptInvitation is the request with which an invited user accepts an invitation.
type AcceptInvitation struct {
	// Code is the text of a domain.InvitationCode.
	Code string
	// Password is the password that the user has chosen.
	Password string
}

// AcceptInvitation creates the user that an invitation names, and deletes the invitation. The new user has a password
// but no API key. AcceptInvitation checks the code before the password. A client can therefore send an empty password
// to check the code before it asks the user for a password. If the password is refused, the invitation stays open.
//
// Errors:
//
//   - Unauthenticated with code invitation_invalid if the code belongs to no open invitation
//   - Invalid if the password is refused
//   - Conflict with code user_exists if another user has taken the name
//   - RateLimited after too many wrong codes from an address
func (s *Service) AcceptInvitation(ctx context.Context, by domain.Requester, in AcceptInvitation) (domain.UserName,
	error) {
	attempt, err := s.gate.ReserveAddress(ctx, by, domain.ActionJoin)
	if err != nil {
		return "", err
	}
	name, err := s.acceptReserved(ctx, by, attempt, in)
	switch {
	case err == nil: // released in the transaction
		return name, nil
	case errors.Is(err, domain.ErrInvitationInvalid):
		return "", s.gate.Refused(ctx, s.gate.Event(domain.ActionJoin, by, domain.Caller{}), err)
	}
	s.gate.Release(ctx, attempt) // the code was right, or was not compared
	return "", err
}

// acceptReserved accepts an invitation for AcceptInvitation, which has reserved the attempt. After a success,
// acceptReserved releases the attempt.
func (s *core) acceptReserved(ctx context.Context, by domain.Requester, attempt gate.Attempt,
	in AcceptInvitation) (domain.UserName, error) {
	if _, err := s.openInvitation(ctx, s.store.Read(), in.Code, s.clock.Now()); err != nil {
		return "", err
	}
	password, err := domain.ParseNewPassword(in.Password, s.config.MinPasswordLength)
	if err != nil {
		return "", err
	}
	defer password.Clear()
	phc, err := s.config.Passwords.Hash(ctx, password)
	if err != nil {
		return "", err
	}
	var name domain.UserName
	err = s.store.Do(ctx, func(ctx context.Context, repos ports.Repos) error {
		// The lock serialises this transaction with changes to the inviter's account, because an admin who was demoted
		// must not create admins.
		if _, err := repos.System.Lock(ctx); err != nil {
			return err
		}
		// Check the code again, because the invitation may have been used or revoked while the password was hashed.
		invitation, err := s.openInvitation(ctx, repos, in.Code, s.clock.Now())
		if err != nil {
			return err
		}
		name = invitation.Name
		if err := s.join(ctx, repos, by, invitation, phc); err != nil {
			return err
		}
		return s.gate.ReleaseIn(ctx, repos, attempt)
	})
	return name, err
}

// join creates the user of an invitation and deletes the invitation. The new user is the actor of the audit event.
func (s *core) join(ctx context.Context, repos ports.Repos, by domain.Requester, invitation domain.Invitation,
	phc []byte) error {
	open, err := repos.Invitations.Delete(ctx, invitation.ID)
	if err != nil {
		return err
	}
	if !open {
		return domain.ErrInvitationInvalid
	}
	user := domain.NewUser(s.ids.New(), invitation.Name, invitation.Role, s.clock.Now())
	user.Spelling = invitation.Spelling
	password, err := s.sealPassword(ctx, user.ID, phc)
	if err != nil {
		return err
	}
	if err := repos.Users.Add(ctx, user, password); err != nil {
		return err
	}
	actor := domain.Caller{UserID: user.ID, Name: user.Name}
	event := s.gate.Event(domain.ActionJoin, by, actor).To(string(user.Name))
	return repos.Events.Append(ctx, event.Changed(user.ChangesFrom(domain.User{})...).
		Changed(domain.PasswordChange(false)))
}
